/*
 * profile.proto, as pprof and its relatives read it. The fields may come in any order, so samples
 * are written first, and what they refer to afterwards: places, functions, and strings.
 *
 * A stack's allocations are one sample. Its live chunks are samples of their own for each size and
 * thread, as far as these are known, so that readers can tell them apart by label.
 */
#include "export.h"
#include "memory.h"
#include "progress.h"
#include "symbols.h"
#include "utf8.h"
#include "wire.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Field numbers of the messages. */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_TIME = 9,
    PROFILE_DURATION = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_TYPE = 14,
    SAMPLE_LOCATIONS = 1,
    SAMPLE_VALUES = 2,
    SAMPLE_LABEL = 3,
};

enum { VALUES = 4, KINDS_MAX = 64 };

/* Keys with numbers in the order in which they were first asked for, from 1. */
struct numbering {
    struct groups *keys;
};

struct pprof {
    const struct export *export;
    FILE *file;
    struct numbering strings, functions, locations;
    struct wire message, inner, numbers;
    uint64_t *location_of; /* the address of each numbered place */
    size_t location_room;
};

/* Returns the key's number; *is_new becomes whether it had none yet. */
static uint64_t number_of(struct numbering *numbering, const char *key, bool *is_new)
{
    size_t before = numbering->keys->count;
    struct group *group = groups_at(numbering->keys, key);

    *is_new = numbering->keys->count > before;
    return (uint64_t)(group - numbering->keys->items) + 1;
}

/* The string's index in the table; that of the empty string, which comes first, is 0. */
static uint64_t string_of(struct pprof *pprof, const char *text)
{
    bool is_new;

    return number_of(&pprof->strings, text == NULL ? "" : text, &is_new) - 1;
}

/* Writes the message as a field of the profile, and empties it. */
static void put_message(struct pprof *pprof, unsigned field, struct wire *message)
{
    struct wire outer = {0};

    wire_message(&outer, field, message);
    fwrite(outer.bytes, 1, outer.length, pprof->file);
    wire_free(&outer);
}

static void put_number(struct pprof *pprof, unsigned field, uint64_t value)
{
    struct wire outer = {0};

    wire_number(&outer, field, value);
    if (outer.length > 0)
        fwrite(outer.bytes, 1, outer.length, pprof->file);
    wire_free(&outer);
}

static void put_value_type(struct pprof *pprof, unsigned field, const char *type, const char *unit)
{
    wire_number(&pprof->message, 1, string_of(pprof, type));
    wire_number(&pprof->message, 2, string_of(pprof, unit));
    put_message(pprof, field, &pprof->message);
}

static void put_header(struct pprof *pprof)
{
    const struct sites *sites = pprof->export->sites;

    string_of(pprof, "");
    put_value_type(pprof, PROFILE_SAMPLE_TYPE, "alloc_objects", "count");
    put_value_type(pprof, PROFILE_SAMPLE_TYPE, "alloc_space", "bytes");
    put_value_type(pprof, PROFILE_SAMPLE_TYPE, "inuse_objects", "count");
    put_value_type(pprof, PROFILE_SAMPLE_TYPE, "inuse_space", "bytes");
    put_value_type(pprof, PROFILE_PERIOD_TYPE, "space", "bytes");
    put_number(pprof, PROFILE_PERIOD, sites->interval > 0 ? sites->interval : 1);
    put_number(pprof, PROFILE_DEFAULT_TYPE, string_of(pprof, "inuse_space"));
    put_number(pprof, PROFILE_TIME, sites->start_ns);
    put_number(pprof, PROFILE_DURATION, sites->duration_ns);
    if (sites->command != NULL)
        put_number(pprof, PROFILE_COMMENT, string_of(pprof, sites->command));
}

/* The number of the place of code at pc; its message is written at the end. */
static uint64_t location_of(struct pprof *pprof, uint64_t pc)
{
    char key[32];
    bool is_new;
    uint64_t number;

    snprintf(key, sizeof(key), "%" PRIx64, pc);
    number = number_of(&pprof->locations, key, &is_new);
    if (is_new) {
        pprof->location_of = memory_grow(pprof->location_of, &pprof->location_room,
                                         (size_t)number - 1, sizeof(*pprof->location_of));
        pprof->location_of[number - 1] = pc;
    }
    return number;
}

static void put_label(struct pprof *pprof, const char *key, const char *text, uint64_t number)
{
    wire_number(&pprof->inner, 1, string_of(pprof, key));
    if (text != NULL) {
        wire_number(&pprof->inner, 2, string_of(pprof, text));
    } else {
        wire_number(&pprof->inner, 3, number);
        wire_number(&pprof->inner, 4, string_of(pprof, "bytes"));
    }
    wire_message(&pprof->message, SAMPLE_LABEL, &pprof->inner);
}

/* A sample of a stack whose places `locations` holds, packed. */
static void put_sample(struct pprof *pprof, const struct wire *locations,
                       const uint64_t values[VALUES], uint64_t size, uint32_t thread)
{
    char name[32];

    wire_bytes(&pprof->message, SAMPLE_LOCATIONS, locations->bytes, locations->length);
    wire_clear(&pprof->numbers);
    for (int i = 0; i < VALUES; i++)
        wire_varint(&pprof->numbers, values[i] & INT64_MAX);
    wire_bytes(&pprof->message, SAMPLE_VALUES, pprof->numbers.bytes, pprof->numbers.length);
    if (size > 0)
        put_label(pprof, "bytes", NULL, size);
    if (thread > 0) {
        snprintf(name, sizeof(name), "%" PRIu32, thread);
        put_label(pprof, "thread", name, 0);
    }
    put_message(pprof, PROFILE_SAMPLE, &pprof->message);
}

/* Live chunks of one stack with the same size and thread. */
struct kind {
    uint64_t size, count, bytes;
    uint32_t thread;
};

/*
 * Adds up the chunks of a site. Returns how many kinds there are; 0 if there are too many, or if
 * they exceed the site's own figures, as they may while a process runs.
 */
static unsigned kinds_of(const struct site *site, const struct site_chunk *const *chunks,
                         size_t count, struct kind kinds[KINDS_MAX])
{
    uint64_t total = 0, bytes = 0;
    unsigned used = 0, i;

    for (size_t c = 0; c < count; c++) {
        for (i = 0; i < used; i++)
            if (kinds[i].size == chunks[c]->size && kinds[i].thread == chunks[c]->thread)
                break;
        if (i == KINDS_MAX)
            return 0;
        if (i == used)
            kinds[used++] = (struct kind){.size = chunks[c]->size, .thread = chunks[c]->thread};
        kinds[i].count += chunks[c]->count;
        kinds[i].bytes += chunks[c]->bytes;
        total += chunks[c]->count;
        bytes += chunks[c]->bytes;
    }
    return total > site->live || bytes > site->live_bytes ? 0 : used;
}

static void put_site(struct pprof *pprof, const struct site *site,
                     const struct site_chunk *const *chunks, size_t count)
{
    struct kind kinds[KINDS_MAX];
    unsigned used = kinds_of(site, chunks, count, kinds);
    uint64_t rest[VALUES] = {site->allocations, site->bytes, site->live, site->live_bytes};
    struct wire locations = {0};
    unsigned own = site_own_depth(site, pprof->export->symbols);

    for (unsigned i = own; i < site->depth; i++)
        wire_varint(&locations, location_of(pprof, site->pcs[i] - 1));
    if (own >= site->depth)
        wire_varint(&locations, location_of(pprof, 0));
    for (unsigned i = 0; i < used; i++) {
        uint64_t values[VALUES] = {0, 0, kinds[i].count, kinds[i].bytes};

        put_sample(pprof, &locations, values, kinds[i].size, kinds[i].thread);
        rest[2] -= kinds[i].count;
        rest[3] -= kinds[i].bytes;
    }
    put_sample(pprof, &locations, rest, site->allocations > 0 ? site->bytes / site->allocations : 0,
               0);
    wire_free(&locations);
}

static int compare_sites(const void *one, const void *other)
{
    const struct site_chunk *const *a = one, *const *b = other;

    return (*a)->site < (*b)->site ? -1 : (*a)->site > (*b)->site;
}

static void put_samples(struct pprof *pprof)
{
    const struct sites *sites = pprof->export->sites;
    const struct site_chunk **chunks = memory_new(sites->chunk_count, sizeof(*chunks));
    size_t at = 0;

    for (size_t i = 0; i < sites->chunk_count; i++)
        chunks[i] = &sites->chunks[i];
    if (sites->chunk_count > 0)
        qsort(chunks, sites->chunk_count, sizeof(*chunks), compare_sites);
    for (size_t i = 0; i < sites->count; i++) {
        size_t first = at;

        while (at < sites->chunk_count && chunks[at]->site == i)
            at++;
        put_site(pprof, &sites->items[i], chunks + first, at - first);
    }
    free(chunks);
}

/* Returns the number of the frame's function, whose message it writes if it is new. */
static uint64_t function_of(struct pprof *pprof, const char *name, const char *linkage,
                            const char *file)
{
    char *key =
        memory_format("%s\n%s\n%s", name, linkage == NULL ? "" : linkage, file == NULL ? "" : file);
    bool is_new;
    uint64_t number = number_of(&pprof->functions, key, &is_new);

    free(key);
    if (!is_new)
        return number;
    wire_number(&pprof->numbers, 1, number);
    wire_number(&pprof->numbers, 2, string_of(pprof, name));
    wire_number(&pprof->numbers, 3, string_of(pprof, linkage == NULL ? name : linkage));
    wire_number(&pprof->numbers, 4, string_of(pprof, file));
    put_message(pprof, PROFILE_FUNCTION, &pprof->numbers);
    return number;
}

static void put_line(struct pprof *pprof, uint64_t function, unsigned line)
{
    wire_number(&pprof->inner, 1, function);
    wire_number(&pprof->inner, 2, line);
    wire_message(&pprof->message, 4, &pprof->inner);
}

static void put_location(struct pprof *pprof, uint64_t number, uint64_t pc)
{
    struct symbols *symbols = pprof->export->symbols;
    const struct symbols_module *module = pc == 0 ? NULL : symbols_module_at(symbols, pc);
    struct frame frames[SYMBOLS_INLINED_MAX];
    unsigned count = pc == 0 ? 0 : symbols_at(symbols, pc, frames, SYMBOLS_INLINED_MAX);
    size_t modules;

    wire_clear(&pprof->numbers);
    wire_number(&pprof->message, 1, number);
    if (module != NULL)
        wire_number(&pprof->message, 2,
                    (uint64_t)(module - symbols_modules(symbols, &modules)) + 1);
    wire_number(&pprof->message, 3, pc);
    for (unsigned i = 0; i < count; i++)
        if (frames[i].function != NULL)
            put_line(pprof,
                     function_of(pprof, frames[i].function, frames[i].linkage, frames[i].file),
                     frames[i].line);
    if (pc == 0)
        put_line(pprof, function_of(pprof, site_unknown, NULL, NULL), 0);
    put_message(pprof, PROFILE_LOCATION, &pprof->message);
}

static void put_locations(struct pprof *pprof)
{
    struct progress progress;
    size_t count = pprof->locations.keys->count;

    progress_begin(&progress, "reading symbols", count);
    for (size_t i = 0; i < count; i++) {
        put_location(pprof, i + 1, pprof->location_of[i]);
        progress_step(&progress, i + 1);
    }
    progress_end(&progress);
}

static void put_mappings(struct pprof *pprof)
{
    size_t count;
    const struct symbols_module *modules = symbols_modules(pprof->export->symbols, &count);

    for (size_t i = 0; i < count; i++) {
        wire_number(&pprof->message, 1, i + 1);
        wire_number(&pprof->message, 2, modules[i].start);
        wire_number(&pprof->message, 3, modules[i].end);
        wire_number(&pprof->message, 4, modules[i].start_offset);
        wire_number(&pprof->message, 5, string_of(pprof, modules[i].path));
        wire_number(&pprof->message, 6, string_of(pprof, modules[i].build_id));
        /* Without these, pprof would look for the files and read their symbols again. */
        for (unsigned field = 7; field <= 10; field++)
            wire_number(&pprof->message, field, modules[i].has_symbols);
        put_message(pprof, PROFILE_MAPPING, &pprof->message);
    }
}

static void put_strings(struct pprof *pprof)
{
    const struct groups *strings = pprof->strings.keys;

    for (size_t i = 0; i < strings->count; i++) {
        struct wire outer = {0};
        char *text = memory_text(strings->items[i].key, strlen(strings->items[i].key));

        utf8_clean(text);
        wire_bytes(&outer, PROFILE_STRING, text, strlen(text));
        free(text);
        fwrite(outer.bytes, 1, outer.length, pprof->file);
        wire_free(&outer);
    }
}

bool export_pprof(const struct export *export, FILE *file)
{
    struct pprof pprof = {.export = export, .file = file};

    pprof.strings.keys = groups_new();
    pprof.functions.keys = groups_new();
    pprof.locations.keys = groups_new();
    put_header(&pprof);
    put_samples(&pprof);
    put_locations(&pprof);
    put_mappings(&pprof);
    put_strings(&pprof);
    groups_free(pprof.strings.keys);
    groups_free(pprof.functions.keys);
    groups_free(pprof.locations.keys);
    wire_free(&pprof.message);
    wire_free(&pprof.inner);
    wire_free(&pprof.numbers);
    free(pprof.location_of);
    return ferror(file) == 0;
}
