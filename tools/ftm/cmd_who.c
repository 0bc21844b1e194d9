/*
 * ftm who: what is at an address.
 */
#include "command.h"
#include "out.h"
#include "sites.h"
#include "source.h"
#include "symbols.h"
#include "table.h"
#include "who.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char help_who[] =
    "usage: ftm who [--json] SOURCE ADDRESS...\n"
    "\n"
    "Says what is at each address: the chunk, live or freed, its sizes, its neighbours in the "
    "slab,\n"
    "who allocated it, and who freed it. The last two are known if a mode notes them: history,\n"
    "profile, record or guard (ft_malloc(7)). Of an address that is in no chunk, it says which\n"
    "mapping or function it is in.\n"
    "\n"
    "  --json   as JSON\n"
    "\n"
    "Exit status: 0 if every address is in a chunk, live or freed; 1 if one is not; 2 after an\n"
    "error.\n";

static const char *verdict_text(enum view_verdict verdict)
{
    static const char *const texts[] = {
        [VIEW_FOREIGN] = "in no memory of the allocator",
        [VIEW_NONE] = "in a heap, but in no chunk that was ever handed out",
        [VIEW_LIVE] = "the start of a live chunk",
        [VIEW_INTERIOR] = "inside of a live chunk",
        [VIEW_FREED] = "the start of a chunk that was freed",
    };

    return texts[verdict];
}

static const char *verdict_name(enum view_verdict verdict)
{
    static const char *const names[] = {[VIEW_FOREIGN] = "foreign",
                                        [VIEW_NONE] = "none",
                                        [VIEW_LIVE] = "live",
                                        [VIEW_INTERIOR] = "interior",
                                        [VIEW_FREED] = "freed"};

    return names[verdict];
}

static struct symbols *symbols_of(struct who *who)
{
    if (who->symbols == NULL)
        who->symbols = symbols_open(who->target.source);
    return who->symbols;
}

static void put_frames(struct who *who, struct out *out, const struct past_call *call)
{
    struct frame frames[SYMBOLS_INLINED_MAX];
    unsigned number = 0;
    char text[512];

    for (unsigned i = 0; i < call->depth; i++) {
        unsigned count =
            symbols_at(symbols_of(who), call->frames[i] - 1, frames, SYMBOLS_INLINED_MAX);

        for (unsigned j = 0; j < count; j++) {
            (void)frame_text(&frames[j], text, sizeof text);
            out_format(out, "    #%-2u %s\n", number++, text);
        }
    }
    if (call->truncated)
        out_text(out, "    ... (the rest of the stack is not known)\n");
}

static void put_call(struct who *who, struct out *out, const char *what,
                     const struct past_call *call)
{
    char text[NUMBER_TEXT];
    uint64_t age = call->time == 0 ? 0 : history_age(who->target.view, call->time);

    if (call->kind == NULL)
        return;
    out_format(out, "  %s by thread %u", what, call->thread);
    if (age != 0)
        out_format(out, ", %s ago", time_text(age, text));
    out_text(out, call->depth == 0 ? "\n" : ":\n");
    put_frames(who, out, call);
}

static void put_chunk(struct out *out, const struct view *view, const struct answer *answer)
{
    const struct view_chunk *chunk = &answer->chunk;

    if (answer->verdict == VIEW_INTERIOR)
        out_format(out, "  %" PRIu64 " bytes behind its start, %" PRIi64 " before its end\n",
                   answer->address - chunk->start,
                   (int64_t)(chunk->start + chunk->requested - answer->address));
    out_text(out, "  chunk ");
    out_hex(out, chunk->start);
    out_text(out, " - ");
    out_hex(out, chunk->start + chunk->requested);
    out_format(out, " : %" PRIu64 " bytes, %" PRIu64 " usable\n", chunk->requested, chunk->usable);
    out_format(out, "  %s", zone_name(chunk->zone));
    if (chunk->size_class != VIEW_NO_CLASS)
        out_format(out, ", size class %u (%u bytes), arena %u", chunk->size_class,
                   view_class_size(view, chunk->size_class), chunk->arena);
    if (chunk->guarded)
        out_text(out, ", guarded");
    out_text(out, "\n");
}

static void put_neighbours(struct out *out, const struct answer *answer)
{
    out_text(out, "  slab ");
    out_hex(out, answer->slab_start);
    out_text(out, " - ");
    out_hex(out, answer->slab_end);
    out_format(out, " : %u chunks, %u live, %u in caches, %u free\n", answer->chunks, answer->live,
               answer->cached, answer->vacant);
    for (unsigned i = answer->before_count; i-- > 0;) {
        out_text(out, "    before ");
        out_hex(out, answer->before[i].start);
        out_format(out, " : %s\n", answer->before[i].state);
    }
    for (unsigned i = 0; i < answer->after_count; i++) {
        out_text(out, "    after  ");
        out_hex(out, answer->after[i].start);
        out_format(out, " : %s\n", answer->after[i].state);
    }
}

/* For an address that is not the allocator's. */
static void put_mapping(struct who *who, struct out *out, uint64_t address)
{
    const struct source_map *map = source_map_at(who->target.source, address);
    struct frame frames[SYMBOLS_INLINED_MAX];
    char text[512];

    if (map == NULL) {
        size_t count;

        (void)source_maps(who->target.source, &count);
        out_text(out, count == 0 ? "  the snapshot has no list of mappings\n" : "  not mapped\n");
        return;
    }
    out_text(out, "  mapping ");
    out_hex(out, map->start);
    out_text(out, " - ");
    out_hex(out, map->end);
    out_format(out, " %c%c%c ", (map->flags & MAP_READ) != 0 ? 'r' : '-',
               (map->flags & MAP_WRITE) != 0 ? 'w' : '-',
               (map->flags & MAP_EXECUTE) != 0 ? 'x' : '-');
    out_name(out, map->path[0] == '\0' ? "(anonymous)" : map->path);
    out_text(out, "\n");
    if (map->path[0] == '/' &&
        symbols_at(symbols_of(who), address, frames, SYMBOLS_INLINED_MAX) > 0) {
        (void)frame_text(&frames[0], text, sizeof text);
        out_format(out, "  %s\n", text);
    }
}

static void put_answer(struct who *who, struct out *out, const struct answer *answer)
{
    char text[NUMBER_TEXT];

    out_hex(out, answer->address);
    out_format(out, " is %s\n", verdict_text(answer->verdict));
    if (answer->verdict == VIEW_FOREIGN) {
        put_mapping(who, out, answer->address);
        return;
    }
    if (answer->verdict != VIEW_NONE)
        put_chunk(out, who->target.view, answer);
    if (answer->has_slab)
        put_neighbours(out, answer);
    if (answer->age != 0 && answer->verdict != VIEW_FREED)
        out_format(out, "  age %s\n", time_text(answer->age, text));
    put_call(who, out, "allocated", &answer->allocated);
    put_call(who, out, "freed", &answer->freed);
}

static void json_call(struct who *who, struct json *json, const char *key,
                      const struct past_call *call)
{
    struct site site = {.depth = call->depth, .truncated = call->truncated, .pcs = call->frames};

    if (call->kind == NULL)
        return;
    json_object(json, key);
    if (call->kind[0] != '\0')
        json_string(json, "kind", call->kind);
    json_number(json, "thread", call->thread);
    json_bool(json, "truncated", call->truncated);
    json_stack(json, &site, symbols_of(who));
    json_close(json);
}

static void json_neighbours(struct json *json, const char *key, const struct neighbour *items,
                            unsigned count)
{
    json_array(json, key);
    for (unsigned i = 0; i < count; i++) {
        json_object(json, NULL);
        json_address(json, "address", items[i].start);
        json_string(json, "state", items[i].state);
        json_close(json);
    }
    json_close(json);
}

static void json_answer(struct who *who, struct json *json, const struct answer *answer)
{
    const struct view_chunk *chunk = &answer->chunk;
    const struct source_map *map = source_map_at(who->target.source, answer->address);

    json_object(json, NULL);
    json_address(json, "address", answer->address);
    json_string(json, "verdict", verdict_name(answer->verdict));
    if (answer->verdict >= VIEW_LIVE) {
        json_address(json, "start", chunk->start);
        json_number(json, "requested", chunk->requested);
        json_number(json, "usable", chunk->usable);
        json_string(json, "zone", zone_name(chunk->zone));
        if (chunk->size_class != VIEW_NO_CLASS)
            json_number(json, "class", chunk->size_class);
        if (chunk->arena != 0)
            json_number(json, "arena", chunk->arena);
        json_bool(json, "guarded", chunk->guarded);
    }
    if (answer->has_slab) {
        json_neighbours(json, "before", answer->before, answer->before_count);
        json_neighbours(json, "after", answer->after, answer->after_count);
    }
    if (answer->age != 0)
        json_number(json, "age_ns", answer->age);
    json_call(who, json, "allocated", &answer->allocated);
    json_call(who, json, "freed", &answer->freed);
    if (answer->verdict == VIEW_FOREIGN && map != NULL)
        json_string(json, "mapping", map->path);
    json_close(json);
}

static int answer_all(struct who *who, char **addresses, bool as_json)
{
    struct out *out = out_begin();
    int status = EXIT_FINE;
    struct answer answer;
    struct json json;

    json_begin(&json, out);
    if (as_json)
        json_array(&json, NULL);
    for (; *addresses != NULL; addresses++) {
        uint64_t address;

        if (!parse_address(*addresses, &address)) {
            say("who: %s is no address", *addresses);
            return EXIT_TROUBLE;
        }
        find_answer(who, address, &answer);
        if (answer.verdict < VIEW_LIVE)
            status = EXIT_FOUND_NOTHING;
        if (as_json)
            json_answer(who, &json, &answer);
        else
            put_answer(who, out, &answer);
    }
    if (as_json)
        json_close(&json);
    return out_end(out) ? status : EXIT_TROUBLE;
}

int cmd_who(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    struct who who = {.sites = NULL};
    bool as_json = false;
    int option, status;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 'j')
            return wrong_usage("who");
        as_json = true;
    }
    if (argc - optind < 2) {
        say("who: which SOURCE, and which ADDRESS?");
        return wrong_usage("who");
    }
    if (!target_open(argv[optind], &who.target))
        return EXIT_TROUBLE;
    if (sites_present(who.target.view))
        who.sites = sites_read(who.target.view);
    status = answer_all(&who, argv + optind + 1, as_json);
    symbols_close(who.symbols);
    sites_free(who.sites);
    target_close(&who.target);
    return status;
}
