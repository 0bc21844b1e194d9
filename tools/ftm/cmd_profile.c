/*
 * ftm profile: who allocates, as a table with shares.
 */
#include "command.h"
#include "out.h"
#include "profiled.h"
#include "sites_own.h"
#include "symbols.h"
#include "table.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char help_profile[] =
    "usage: ftm profile [OPTIONS] SOURCE\n\n"
    "Shows who allocates: a table of the places in the program, the largest first. The process\n"
    "must run with FT_MALLOC_PROFILE or FT_MALLOC_RECORD; `ftm set PID PROFILE=512K` switches\n"
    "it on.\n\n"
    "  --live           chunks that are live now (default)\n"
    "  --peak           chunks that were live when the live bytes were highest\n"
    "  --allocated      all chunks since the profile began\n"
    "  --temporary      chunks that were freed by the next call of their thread\n"
    "  --by WHAT        stack, site (default), library, thread or size; the last two know\n"
    "                   live chunks only\n"
    "  -n, --rows N     rows at most, 0 for all (default: 20)\n"
    "      --depth N    frames of a stack at most, 0 for all (default: 0)\n"
    "      --json       print JSON\n\n"
    "Exit status: 0, or 2 if the source cannot be read or has no profile.\n";

struct profile_options {
    enum site_value value;
    enum group_by by;
    size_t rows, depth;
    bool json;
};

static bool is_number(const char *text, size_t *number)
{
    char *end;

    *number = strtoul(text, &end, 10);
    return end != text && *end == '\0' && text[0] != '-';
}

static bool read_option(int option, struct profile_options *options)
{
    switch (option) {
    case 'b':
        return by_named(optarg, &options->by);
    case 'n':
        return is_number(optarg, &options->rows);
    case 'd':
        return is_number(optarg, &options->depth);
    case 'j':
        options->json = true;
        return true;
    default:
        return value_option(option, &options->value);
    }
}

static bool read_options(int argc, char **argv, struct profile_options *options)
{
    static const struct option names[] = {
        VALUE_OPTIONS,
        {"by", required_argument, NULL, 'b'},
        {"rows", required_argument, NULL, 'n'},
        {"depth", required_argument, NULL, 'd'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "n:", names, NULL)) != -1)
        if (!read_option(option, options)) {
            if (option != '?')
                say("%s is no value for this option", optarg);
            return false;
        }
    if (optind + 1 != argc) {
        say("give one process, core file, snapshot or recording");
        return false;
    }
    if (options->value != VALUE_LIVE && (options->by == BY_THREAD || options->by == BY_SIZE)) {
        say("--by %s knows live chunks only, so it goes with --live", by_name(options->by));
        return false;
    }
    return true;
}

static void print_header(struct out *out, const struct profile_options *options,
                         const struct site *total, size_t groups)
{
    static const char *const what[] = {"live", "live at the peak", "allocated", "temporary"};
    char size[SIZE_TEXT], number[NUMBER_TEXT];

    out_format(out, "%s %s in %s chunks, by %s (%zu)\n",
               size_text(site_bytes(total, options->value), size), what[options->value],
               number_text(site_count(total, options->value), number), by_name(options->by),
               groups);
}

static void print_stack(struct out *out, const char *key, size_t depth)
{
    size_t printed = 0;

    for (const char *line = key; *line != '\0'; printed++) {
        size_t length = strcspn(line, "\n");

        if (printed == depth && depth > 0) {
            out_text(out, "          ...\n");
            return;
        }
        out_text(out, "          ");
        print_name(out, line, length);
        out_text(out, "\n");
        line += length + (line[length] == '\n');
    }
}

/* What the row is about, behind its figures. */
static void print_where(struct out *out, const struct profile_options *options,
                        const struct group *group, struct source *source)
{
    char size[SIZE_TEXT], name[16];

    out_text(out, "  ");
    if (options->by == BY_SIZE) {
        out_format(out, "up to %s\n", size_text(group->order, size));
        return;
    }
    print_name(out, group->key, strlen(group->key));
    if (options->by == BY_THREAD) {
        thread_name(source, (uint32_t)group->order, name);
        if (name[0] != '\0') {
            out_text(out, " ");
            out_name(out, name);
        }
    }
    out_text(out, "\n");
}

static void print_row(struct out *out, const struct profile_options *options,
                      const struct group *group, const struct site *total, uint64_t before)
{
    uint64_t bytes = site_bytes(&group->sum, options->value);
    uint64_t count = site_count(&group->sum, options->value);
    uint64_t whole = site_bytes(total, options->value);
    char size[SIZE_TEXT], average[SIZE_TEXT], number[NUMBER_TEXT], time[NUMBER_TEXT];

    out_format(out, "%10s %5.1f %% %5.1f %% %12s %10s", size_text(bytes, size),
               percent_of(bytes, whole), percent_of(before + bytes, whole),
               number_text(count, number), size_text(count > 0 ? bytes / count : 0, average));
    if (options->by != BY_THREAD && options->by != BY_SIZE)
        out_format(out, " %12s %5.1f %%", lifetime_text(&group->sum, time),
                   percent_of(group->sum.temporary, group->sum.allocations));
}

static void print_table(struct out *out, const struct profile_options *options,
                        const struct profiled *profiled, const struct groups *groups,
                        const struct site *total)
{
    bool lifetimes = options->by != BY_THREAD && options->by != BY_SIZE;
    uint64_t before = 0;
    size_t rows = 0;
    char size[SIZE_TEXT];

    print_header(out, options, total, groups->count);
    print_origin(out, profiled->sites);
    out_format(out, "\n%10s %7s %7s %12s %10s%s%s\n", "BYTES", "SHARE", "SUM", "CHUNKS", "AVERAGE",
               lifetimes ? "     LIFETIME    TEMP" : "", options->by == BY_STACK ? "" : "  WHERE");
    for (; rows < groups->count && (options->rows == 0 || rows < options->rows); rows++) {
        const struct group *group = &groups->items[rows];

        if (site_bytes(&group->sum, options->value) == 0 &&
            site_count(&group->sum, options->value) == 0)
            break;
        print_row(out, options, group, total, before);
        if (options->by == BY_STACK) {
            out_text(out, "\n");
            print_stack(out, group->key, options->depth);
        } else {
            print_where(out, options, group, profiled->source);
        }
        before += site_bytes(&group->sum, options->value);
    }
    if (before < site_bytes(total, options->value))
        out_format(out, "%10s %5.1f %%  in others (-n 0 shows all)\n",
                   size_text(site_bytes(total, options->value) - before, size),
                   percent_of(site_bytes(total, options->value) - before,
                              site_bytes(total, options->value)));
}

static void json_figures(struct json *json, const struct profile_options *options,
                         const struct site *site)
{
    json_number(json, "bytes", site_bytes(site, options->value));
    json_number(json, "chunks", site_count(site, options->value));
    if (options->by == BY_THREAD || options->by == BY_SIZE)
        return;
    json_number(json, "allocations", site->allocations);
    json_number(json, "allocated_bytes", site->bytes);
    json_number(json, "live", site->live);
    json_number(json, "live_bytes", site->live_bytes);
    json_number(json, "peak_bytes", site->peak_bytes);
    json_number(json, "freed", site->freed);
    json_number(json, "lifetime_ns", site->lifetime_ns);
    json_number(json, "temporary", site->temporary);
    json_number(json, "temporary_bytes", site->temporary_bytes);
}

static void print_json(struct out *out, const struct profile_options *options,
                       const struct profiled *profiled, const struct groups *groups,
                       const struct site *total)
{
    struct json json;
    char name[16];

    json_begin(&json, out);
    json_object(&json, NULL);
    json_string(&json, "value", value_name(options->value));
    json_string(&json, "by", by_name(options->by));
    json_origin(&json, profiled->sites);
    json_object(&json, "total");
    json_figures(&json, options, total);
    json_close(&json);
    json_array(&json, "rows");
    for (size_t i = 0; i < groups->count && (options->rows == 0 || i < options->rows); i++) {
        const struct group *group = &groups->items[i];

        json_object(&json, NULL);
        json_string(&json, "key", group->key);
        json_real(
            &json, "percent",
            percent_of(site_bytes(&group->sum, options->value), site_bytes(total, options->value)));
        json_figures(&json, options, &group->sum);
        if (options->by == BY_THREAD) {
            thread_name(profiled->source, (uint32_t)group->order, name);
            json_string(&json, "name", name[0] == '\0' ? NULL : name);
        }
        if (options->by == BY_STACK || options->by == BY_SITE)
            json_stack(&json, &group->sum, profiled->symbols);
        json_close(&json);
    }
    json_close(&json);
    json_close(&json);
}

int cmd_profile(int argc, char **argv)
{
    struct profile_options options = {.value = VALUE_LIVE, .by = BY_SITE, .rows = 20};
    struct site total = {0};
    struct profiled profiled;
    struct groups *groups;
    struct out *out;

    if (!read_options(argc, argv, &options))
        return wrong_usage("profile");
    if (!profiled_begin(&profiled, argv[optind]))
        return EXIT_TROUBLE;
    groups = groups_of(profiled.sites, profiled.symbols, options.by, options.value);
    groups_sort(groups, options.value);
    for (size_t i = 0; i < groups->count; i++)
        site_sum(&total, &groups->items[i].sum);
    out = out_begin();
    if (options.json)
        print_json(out, &options, &profiled, groups, &total);
    else
        print_table(out, &options, &profiled, groups, &total);
    groups_free(groups);
    profiled_end(&profiled);
    return out_end(out) ? EXIT_FINE : EXIT_TROUBLE;
}
