/*
 * ftm diff: what changed between two sources, with signs. Groups are matched by their names, not by
 * addresses, so the two may come from different runs of a program.
 */
#include "command.h"
#include "memory.h"
#include "out.h"
#include "profiled.h"
#include "sites_own.h"
#include "symbols.h"
#include "table.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char help_diff[] =
    "usage: ftm diff [OPTIONS] BEFORE AFTER\n\n"
    "Shows what changed between two sources, the largest change first: a process, core files,\n"
    "snapshots or recordings. The program must have run with FT_MALLOC_PROFILE or\n"
    "FT_MALLOC_RECORD.\n\n"
    "  --live, --peak, --allocated, --temporary\n"
    "                   what is compared, as `ftm profile` has it (default: --live)\n"
    "  --by WHAT        stack, site (default) or library\n"
    "  -n, --rows N     rows at most, 0 for all (default: 20)\n"
    "      --json       print JSON\n\n"
    "Exit status: 0, also if something changed, or 2 if a source cannot be read or has no\n"
    "profile.\n";

struct change {
    const char *key;
    struct site before, after;
    int64_t bytes, chunks; /* after less before */
};

struct diff {
    enum site_value value;
    enum group_by by;
    size_t rows;
    bool json;
    struct change *changes;
    size_t count, room;
    struct site before, after; /* of everything */
};

static int compare_changes(const void *one, const void *other)
{
    const struct change *a = one, *b = other;
    uint64_t ours = a->bytes < 0 ? 0 - (uint64_t)a->bytes : (uint64_t)a->bytes;
    uint64_t theirs = b->bytes < 0 ? 0 - (uint64_t)b->bytes : (uint64_t)b->bytes;

    if (ours != theirs)
        return ours > theirs ? -1 : 1;
    return strcmp(a->key, b->key);
}

static void add_change(struct diff *diff, const char *key, const struct site *before,
                       const struct site *after)
{
    struct change change = {.key = key};

    if (before != NULL)
        change.before = *before;
    if (after != NULL)
        change.after = *after;
    change.bytes =
        (int64_t)(site_bytes(&change.after, diff->value) - site_bytes(&change.before, diff->value));
    change.chunks =
        (int64_t)(site_count(&change.after, diff->value) - site_count(&change.before, diff->value));
    site_sum(&diff->before, &change.before);
    site_sum(&diff->after, &change.after);
    diff->changes = memory_grow(diff->changes, &diff->room, diff->count, sizeof(*diff->changes));
    diff->changes[diff->count++] = change;
}

static void find_changes(struct diff *diff, struct groups *before, struct groups *after)
{
    size_t known = before->count;

    for (size_t i = 0; i < after->count; i++) {
        struct group *group = groups_at(before, after->items[i].key);
        bool is_new = (size_t)(group - before->items) >= known;

        add_change(diff, after->items[i].key, is_new ? NULL : &group->sum, &after->items[i].sum);
        group->order = 1;
    }
    for (size_t i = 0; i < known; i++)
        if (before->items[i].order == 0)
            add_change(diff, before->items[i].key, &before->items[i].sum, NULL);
    if (diff->count > 0)
        qsort(diff->changes, diff->count, sizeof(*diff->changes), compare_changes);
}

static void print_change(struct out *out, const struct diff *diff, const struct change *change)
{
    char bytes[NUMBER_TEXT], chunks[NUMBER_TEXT], before[SIZE_TEXT], after[SIZE_TEXT];
    char old_time[NUMBER_TEXT], new_time[NUMBER_TEXT];

    out_format(out, "%11s %11s %10s %10s %12s %12s  ", signed_size_text(change->bytes, bytes),
               signed_number_text(change->chunks, chunks),
               size_text(site_bytes(&change->before, diff->value), before),
               size_text(site_bytes(&change->after, diff->value), after),
               lifetime_text(&change->before, old_time), lifetime_text(&change->after, new_time));
    for (const char *key = change->key; *key != '\0';) {
        size_t length = strcspn(key, "\n");

        print_name(out, key, length);
        key += length;
        if (*key == '\n') {
            out_format(out, "\n%74s", "");
            key++;
        }
    }
    out_text(out, "\n");
}

static void print_table(struct out *out, const struct diff *diff)
{
    int64_t bytes =
        (int64_t)(site_bytes(&diff->after, diff->value) - site_bytes(&diff->before, diff->value));
    char change[NUMBER_TEXT], before[SIZE_TEXT], after[SIZE_TEXT];
    size_t rows = 0;

    out_format(out, "%s bytes: %s before, %s after, %s", value_name(diff->value),
               size_text(site_bytes(&diff->before, diff->value), before),
               size_text(site_bytes(&diff->after, diff->value), after),
               signed_size_text(bytes, change));
    if (site_bytes(&diff->before, diff->value) > 0)
        out_format(out, " (%+.1f %%)",
                   100.0 * (double)bytes / (double)site_bytes(&diff->before, diff->value));
    out_format(out, "\n\n%11s %11s %10s %10s %12s %12s  WHERE\n", "BYTES", "CHUNKS", "BEFORE",
               "AFTER", "LIVED BEFORE", "LIVED AFTER");
    for (; rows < diff->count && (diff->rows == 0 || rows < diff->rows); rows++) {
        if (diff->changes[rows].bytes == 0 && diff->changes[rows].chunks == 0)
            break;
        print_change(out, diff, &diff->changes[rows]);
    }
    if (rows == 0)
        out_text(out, "   nothing changed\n");
}

static void json_side(struct json *json, const struct diff *diff, const char *key,
                      const struct site *site)
{
    json_object(json, key);
    json_number(json, "bytes", site_bytes(site, diff->value));
    json_number(json, "chunks", site_count(site, diff->value));
    json_number(json, "allocations", site->allocations);
    json_number(json, "freed", site->freed);
    json_number(json, "lifetime_ns", site->lifetime_ns);
    json_close(json);
}

static void print_json(struct out *out, const struct diff *diff)
{
    struct json json;

    json_begin(&json, out);
    json_object(&json, NULL);
    json_string(&json, "value", value_name(diff->value));
    json_string(&json, "by", by_name(diff->by));
    json_side(&json, diff, "before", &diff->before);
    json_side(&json, diff, "after", &diff->after);
    json_array(&json, "rows");
    for (size_t i = 0; i < diff->count && (diff->rows == 0 || i < diff->rows); i++) {
        const struct change *change = &diff->changes[i];

        json_object(&json, NULL);
        json_string(&json, "key", change->key);
        json_signed(&json, "bytes", change->bytes);
        json_signed(&json, "chunks", change->chunks);
        json_side(&json, diff, "before", &change->before);
        json_side(&json, diff, "after", &change->after);
        json_close(&json);
    }
    json_close(&json);
    json_close(&json);
}

static bool read_option(int option, struct diff *diff)
{
    char *end;

    switch (option) {
    case 'b':
        return by_named(optarg, &diff->by) && diff->by != BY_THREAD && diff->by != BY_SIZE;
    case 'n':
        diff->rows = strtoul(optarg, &end, 10);
        return end != optarg && *end == '\0' && *optarg != '-';
    case 'j':
        diff->json = true;
        return true;
    default:
        return value_option(option, &diff->value);
    }
}

static bool read_options(int argc, char **argv, struct diff *diff)
{
    static const struct option names[] = {
        VALUE_OPTIONS,
        {"by", required_argument, NULL, 'b'},
        {"rows", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "n:", names, NULL)) != -1)
        if (!read_option(option, diff)) {
            if (option != '?')
                say("%s is no value for this option", optarg);
            return false;
        }
    if (optind + 2 != argc)
        say("give two sources: before and after");
    return optind + 2 == argc;
}

int cmd_diff(int argc, char **argv)
{
    struct diff diff = {.value = VALUE_LIVE, .by = BY_SITE, .rows = 20};
    struct groups *before, *after;
    struct profiled first, second;
    struct out *out;

    if (!read_options(argc, argv, &diff))
        return wrong_usage("diff");
    if (!profiled_begin(&first, argv[optind]))
        return EXIT_TROUBLE;
    if (!profiled_begin(&second, argv[optind + 1])) {
        profiled_end(&first);
        return EXIT_TROUBLE;
    }
    before = groups_of(first.sites, first.symbols, diff.by, diff.value);
    after = groups_of(second.sites, second.symbols, diff.by, diff.value);
    find_changes(&diff, before, after);
    out = out_begin();
    if (diff.json)
        print_json(out, &diff);
    else
        print_table(out, &diff);
    free(diff.changes);
    groups_free(before);
    groups_free(after);
    profiled_end(&first);
    profiled_end(&second);
    return out_end(out) ? EXIT_FINE : EXIT_TROUBLE;
}
