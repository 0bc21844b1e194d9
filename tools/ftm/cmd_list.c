/*
 * ftm list: show_alloc_mem() from outside. Everything is collected first, so that a slow reader of
 * the output does not stretch the moment that it shows.
 */
#include "command.h"
#include "options.h"
#include "out.h"
#include "source.h"
#include "view.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char help_list[] =
    "usage: ftm list [OPTIONS] SOURCE\n"
    "\n"
    "Lists the live chunks of a process, core file or snapshot, sorted by address. Without "
    "options\n"
    "the output is that of show_alloc_mem() in the process. The process is not stopped: what is\n"
    "live all the while is listed, what is free all the while is not.\n"
    "\n"
    "  --zone ZONE[,ZONE]   only chunks of these zones: tiny, small, large\n"
    "  --min SIZE           only chunks of at least so many requested bytes (1000, 4K, 2M, 1G)\n"
    "  --max SIZE           only chunks of at most so many\n"
    "  --address A[-B]      only the chunk around address A, or chunks that begin in A to B\n"
    "  --arena N            only chunks of the arena with this number\n"
    "  --sort KEY           address, size, or slack (usable bytes that nobody asked for); the "
    "last\n"
    "                       two with the largest first\n"
    "  --limit N            only the first N\n"
    "  --total              only the last line\n"
    "  --json               as JSON\n"
    "\n"
    "The total is that of the chunks that are listed. Exit status: 0, or 2 after an error.\n";

struct item {
    uint64_t start, requested, usable, place;
    uint32_t arena;
    uint8_t zone, size_class;
};

enum { SORT_ADDRESS, SORT_SIZE, SORT_SLACK };

struct list {
    unsigned zones; /* bit z: show zone z */
    uint64_t least, most;
    uint64_t from, to; /* addresses, both included */
    bool around;       /* the chunk around `from` alone */
    uint64_t arena;    /* 0: all */
    int sort;
    uint64_t limit;
    bool total_only, json;

    struct item *items;
    size_t count, room;
    uint64_t place; /* whose line was written last */
};

static bool wanted(const struct list *list, const struct view_chunk *chunk)
{
    if ((list->zones >> chunk->zone & 1) == 0 || chunk->requested < list->least ||
        chunk->requested > list->most || (list->arena != 0 && chunk->arena != list->arena))
        return false;
    if (list->around)
        return list->from == chunk->start ||
               (list->from > chunk->start && list->from - chunk->start < chunk->usable);
    return chunk->start >= list->from && chunk->start <= list->to;
}

static int collect(void *context, const struct view_chunk *chunk)
{
    struct list *list = context;

    if (!wanted(list, chunk))
        return 0;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 1024 : 2 * list->room;
        struct item *larger = reallocarray(list->items, room, sizeof *larger);

        if (larger == NULL) {
            say_error(ENOMEM, "cannot collect the chunks");
            return VIEW_ERROR;
        }
        list->items = larger;
        list->room = room;
    }
    list->items[list->count++] = (struct item){.start = chunk->start,
                                               .requested = chunk->requested,
                                               .usable = chunk->usable,
                                               .place = chunk->place,
                                               .arena = chunk->arena,
                                               .zone = (uint8_t)chunk->zone,
                                               .size_class = (uint8_t)chunk->size_class};
    return 0;
}

/* The larger first, then by address. */
static int by_size(const void *left, const void *right)
{
    const struct item *a = left, *b = right;

    if (a->requested != b->requested)
        return a->requested < b->requested ? 1 : -1;
    return (a->start > b->start) - (a->start < b->start);
}

static int by_slack(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    uint64_t slack_a = a->usable - a->requested, slack_b = b->usable - b->requested;

    if (slack_a != slack_b)
        return slack_a < slack_b ? 1 : -1;
    return (a->start > b->start) - (a->start < b->start);
}

static void put_text(struct list *list, struct out *out, const struct item *item)
{
    if (list->sort != SORT_ADDRESS) {
        out_format(out, "%-6s", zone_name((enum zone)item->zone));
    } else if (item->place != list->place) {
        out_text(out, zone_name((enum zone)item->zone));
        out_bytes(out, " : ", 3);
        out_hex(out, item->place);
        out_bytes(out, "\n", 1);
        list->place = item->place;
    }
    out_hex(out, item->start);
    out_bytes(out, " - ", 3);
    out_hex(out, item->start + item->requested);
    out_bytes(out, " : ", 3);
    out_number(out, item->requested);
    if (list->sort == SORT_SLACK)
        out_format(out, " of %llu", (unsigned long long)item->usable);
    out_bytes(out, " bytes\n", 7);
}

static void put_json(struct json *json, const struct item *item)
{
    json_object(json, NULL);
    json_address(json, "address", item->start);
    json_number(json, "requested", item->requested);
    json_number(json, "usable", item->usable);
    json_string(json, "zone", zone_name((enum zone)item->zone));
    json_address(json, "place", item->place);
    if (item->size_class != VIEW_NO_CLASS)
        json_number(json, "class", item->size_class);
    if (item->arena != 0)
        json_number(json, "arena", item->arena);
    json_close(json);
}

static uint64_t sum(const struct list *list, size_t count)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += list->items[i].requested;
    return total;
}

static void print_json(const struct list *list, struct out *out, struct view *view, size_t count)
{
    struct json json;

    json_begin(&json, out);
    json_object(&json, NULL);
    json_string(&json, "source", source_name(view_source(view)));
    json_number(&json, "pid", (uint64_t)source_pid(view_source(view)));
    json_array(&json, "chunks");
    for (size_t i = 0; i < count && !list->total_only; i++)
        put_json(&json, &list->items[i]);
    json_close(&json);
    json_number(&json, "count", count);
    json_number(&json, "requested", sum(list, count));
    json_close(&json);
}

static int print(struct list *list, struct view *view)
{
    struct out *out = out_begin();
    size_t count = list->count < list->limit ? list->count : (size_t)list->limit;

    if (list->sort != SORT_ADDRESS && list->count > 0)
        qsort(list->items, list->count, sizeof *list->items,
              list->sort == SORT_SIZE ? by_size : by_slack);
    if (list->json) {
        print_json(list, out, view, count);
    } else {
        for (size_t i = 0; i < count && out->error == 0 && !list->total_only; i++)
            put_text(list, out, &list->items[i]);
        out_format(out, "Total : %llu bytes\n", (unsigned long long)sum(list, count));
    }
    return out_end(out) ? EXIT_FINE : EXIT_TROUBLE;
}

static bool parse_zones(const char *text, unsigned *zones)
{
    static const char *const names[] = {"tiny", "small", "large"};

    *zones = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        unsigned zone = 0;

        while (zone < ZONES &&
               (strlen(names[zone]) != length || strncasecmp(text, names[zone], length) != 0))
            zone++;
        if (zone == ZONES)
            return false;
        *zones |= 1U << zone;
        text += length + (text[length] == ',');
    }
    return *zones != 0;
}

static bool parse_sort(const char *text, int *sort)
{
    static const char *const names[] = {"address", "size", "slack"};

    for (*sort = 0; *sort < 3; ++*sort)
        if (strcmp(text, names[*sort]) == 0)
            return true;
    return false;
}

static bool parse_addresses(const char *text, struct list *list)
{
    const char *dash = strchr(text, '-');

    list->around = dash == NULL;
    if (dash == NULL)
        return parse_address(text, &list->from);
    return parse_address_until(text, dash, &list->from) && parse_address(dash + 1, &list->to);
}

static bool take_option(struct list *list, int option)
{
    switch (option) {
    case 'z':
        return parse_zones(optarg, &list->zones);
    case 'm':
        return parse_size(optarg, &list->least);
    case 'M':
        return parse_size(optarg, &list->most);
    case 'a':
        return parse_addresses(optarg, list);
    case 'A':
        return parse_number(optarg, &list->arena) && list->arena != 0;
    case 's':
        return parse_sort(optarg, &list->sort);
    case 'n':
        return parse_number(optarg, &list->limit);
    case 't':
        return list->total_only = true;
    default:
        return list->json = true;
    }
}

static const struct option options[] = {
    {"zone", required_argument, NULL, 'z'},  {"min", required_argument, NULL, 'm'},
    {"max", required_argument, NULL, 'M'},   {"address", required_argument, NULL, 'a'},
    {"arena", required_argument, NULL, 'A'}, {"sort", required_argument, NULL, 's'},
    {"limit", required_argument, NULL, 'n'}, {"total", no_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},        {NULL, 0, NULL, 0},
};

static bool parse(struct list *list, int argc, char **argv)
{
    int option, index;

    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == '?')
            return false;
        if (!take_option(list, option)) {
            say("list: --%s cannot be %s", options[index].name, optarg);
            return false;
        }
    }
    if (optind + 1 == argc)
        return true;
    say(optind == argc ? "list: which process, core file or snapshot?"
                       : "list: there is one SOURCE only");
    return false;
}

int cmd_list(int argc, char **argv)
{
    struct list list = {.zones = ~0U,
                        .most = UINT64_MAX,
                        .to = UINT64_MAX,
                        .limit = UINT64_MAX,
                        .place = UINT64_MAX};
    struct target target;
    int status = EXIT_TROUBLE;

    if (!parse(&list, argc, argv))
        return wrong_usage("list");
    if (target_open(argv[optind], &target)) {
        if (view_each_chunk(target.view, collect, &list) == 0) {
            status = print(&list, target.view);
            warn_unread(target.view);
        }
        target_close(&target);
    }
    free(list.items);
    return status;
}
