/*
 * Writes a table of sites that it makes by hand in one of the export formats.
 * usage: sites_case pprof|folded|folded-count|dhat plain|odd|empty|deep|hostile
 *        sites_case places places     the place that stands for each stack, one a line
 */
#include "export.h"
#include "symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEP = 5000 };

/* Return addresses are those of the lines plus 1. At 0x3000 a function is inlined into another. */
static const char plain_symbols[] = "1000\t-\t5\tmake_x\t\t/src/demo.c\t/bin/demo\t1000\n"
                                    "2000\t-\t12\tmain\t\t/src/demo.c\t/bin/demo\t2000\n"
                                    "3000\ti\t7\tinner\t\t/src/demo.h\t/bin/demo\t3000\n"
                                    "3000\t-\t9\touter\t\t/src/demo.c\t/bin/demo\t3000\n"
                                    "4000\t-\t0\tmalloc\t\t\t/lib/libft_malloc.so.1\t40\n";

static const char odd_symbols[] =
    "1000\t-\t5\tsemi;colon\\nline \\\\ 33\t\t/src/a b;c.c\t\t1000\n"
    "2000\t-\t0\t#\"quoted\" <\xff\xfe> \xc3\xa9 \xed\xa0\x80 44\t_Z1x\t\t/bin/o;dd\t2000\n"
    "3000\t-\t0\t\t\t\t/lib/no name.so\t3000\n"
    "not a line\n"
    "4000\tx\n"
    "zz\t-\t0\ta\tb\tc\td\t0\n"
    "5000\t-\t99999999999999999999\t\x01\x02\x7f\t\t\t\tffffffffffffffffffff\n";

static const char place_symbols[] =
    "1000\t-\t0\toperator new(unsigned long)\t\t\t/lib/libother.so\t0\n"
    "1010\t-\t0\tvoid std::vector<a (*)(b)>::grow<int const&>(int const&)\t\t\t\t0\n"
    "1020\t-\t0\tstd::string::string(char)\t\t\t\t0\n"
    "1030\t-\t0\tread_all\t\t\t/lib/libstdc++.so.6\t0\n"
    "1040\t-\t0\txmalloc\t\t\t\t0\n"
    "1050\t-\t0\tstd::map<int, int> shop::open<std::less<int> >(std::less<int>)\t\t\t\t0\n"
    "1060\t-\t0\t(anonymous namespace)::real(int)\t\t\t\t0\n"
    "1070\t-\t0\tstdlib_wrapper\t\t\t\t0\n";

static struct site *add(struct sites *sites, const uint64_t *pcs, unsigned depth, uint64_t calls,
                        uint64_t bytes)
{
    struct site *site = sites_add(sites, pcs, depth, false);

    site->allocations += calls;
    site->bytes += bytes;
    return site;
}

static void add_plain(struct sites *sites)
{
    static const uint64_t one[] = {0x1001, 0x2001}, two[] = {0x3001, 0x2001},
                          same[] = {0x4001, 0x3001, 0x2001};
    struct site *site = add(sites, one, 2, 3, 192);

    site->live = 2;
    site->live_bytes = 128;
    site->peak = 2;
    site->peak_bytes = 128;
    site->freed = 1;
    site->freed_bytes = 64;
    site->lifetime_ns = 7000000;
    site->temporary = 1;
    site->temporary_bytes = 64;
    sites_add_chunk(sites, &(struct site_chunk){.address = 0xb000,
                                                .size = 64,
                                                .count = 1,
                                                .bytes = 64,
                                                .age_ns = 11000000,
                                                .site = 0,
                                                .thread = 42});
    add(sites, two, 2, 10, 1000)->most_bytes = 500;
    /* The allocator's own frame is dropped, so this is the stack before once more. */
    add(sites, same, 3, 1, 24)->live = 1;
    sites->items[2].live_bytes = 24;
    sites->interval = 1;
    sites->duration_ns = 20000000;
    sites->peak_ns = 10000000;
}

static void add_odd(struct sites *sites)
{
    static const uint64_t stacks[][2] = {
        {0x1001, 0x2001}, {0x2001, 0x1001}, {0x3001, 0x1001}, {0x5001, 0x6001}, {0, UINT64_MAX}};

    for (unsigned i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
        add(sites, stacks[i], 2, 1, 100 + i)->live_bytes = 10 + i;
    sites_add(sites, NULL, 0, true)->live_bytes = 5;
}

static void add_deep(struct sites *sites)
{
    static uint64_t pcs[DEEP];

    for (unsigned i = 0; i < DEEP; i++)
        pcs[i] = 0x100000 + i;
    add(sites, pcs, DEEP, 1, 1)->live_bytes = 1;
}

static void add_hostile(struct sites *sites)
{
    static const uint64_t one[] = {0x1001}, two[] = {0x2001};
    struct site *site = add(sites, one, 1, UINT64_MAX, UINT64_MAX);

    site->live = site->live_bytes = site->peak_bytes = site->lifetime_ns = UINT64_MAX;
    site = add(sites, two, 1, UINT64_MAX, UINT64_MAX);
    site->live = site->live_bytes = 7;
    /* Of a site that does not exist, and more than the site has. */
    sites_add_chunk(sites, &(struct site_chunk){.address = 1, .count = 9, .bytes = 9, .site = 99});
    sites_add_chunk(sites,
                    &(struct site_chunk){.address = 2, .count = UINT64_MAX, .bytes = 1, .site = 1});
    sites->duration_ns = 1;
    sites->peak_ns = UINT64_MAX;
    sites->interval = 0;
}

/* Each stack ends in something that says nothing, and only the last frame is a place. */
static void add_places(struct sites *sites)
{
    static const uint64_t stacks[][6] = {
        {0x1001, 0x1011, 0x1021, 0x1031, 0x1041, 0x1051},
        {0x1001, 0x1011, 0x1021, 0x1031, 0x1041, 0x1061},
        {0x1001, 0x1041, 0x1071},
        {0x1001, 0x1011},
    };
    static const unsigned depths[] = {6, 6, 3, 2};

    for (unsigned i = 0; i < sizeof(depths) / sizeof(depths[0]); i++)
        add(sites, stacks[i], depths[i], 1, 1)->live_bytes = 100 - i;
}

static bool write_places(const struct export *export)
{
    struct groups *groups = groups_of(export->sites, export->symbols, BY_SITE, VALUE_LIVE);

    groups_sort(groups, VALUE_LIVE);
    for (size_t i = 0; i < groups->count; i++)
        puts(groups->items[i].key);
    groups_free(groups);
    return true;
}

static struct symbols *make(const char *name, struct sites *sites)
{
    bool odd = strcmp(name, "odd") == 0;

    if (strcmp(name, "plain") == 0)
        add_plain(sites);
    else if (odd)
        add_odd(sites);
    else if (strcmp(name, "deep") == 0)
        add_deep(sites);
    else if (strcmp(name, "hostile") == 0)
        add_hostile(sites);
    else if (strcmp(name, "places") == 0)
        add_places(sites);
    sites->command = strdup(odd ? "./o\"dd \\ \xff" : "./demo");
    sites->pid = 123;
    sites_sort_chunks(sites);
    if (strcmp(name, "places") == 0)
        return symbols_of_text(place_symbols, sizeof(place_symbols) - 1);
    return odd ? symbols_of_text(odd_symbols, sizeof(odd_symbols) - 1)
               : symbols_of_text(plain_symbols, sizeof(plain_symbols) - 1);
}

int main(int argc, char **argv)
{
    struct export export = {.sites = sites_new(), .value = VALUE_LIVE};
    bool written = false;

    if (argc != 3)
        return 2;
    export.symbols = make(argv[2], (struct sites *)export.sites);
    export.count = strcmp(argv[1], "folded-count") == 0;
    if (strncmp(argv[1], "folded", 6) == 0)
        written = export_folded(&export, stdout);
    else if (strcmp(argv[1], "pprof") == 0)
        written = export_pprof(&export, stdout);
    else if (strcmp(argv[1], "dhat") == 0)
        written = export_dhat(&export, stdout);
    else if (strcmp(argv[1], "places") == 0)
        written = write_places(&export);
    symbols_close(export.symbols);
    sites_free((struct sites *)export.sites);
    return written ? 0 : 1;
}
