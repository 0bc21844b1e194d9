/*
 * DHAT's JSON, version 2, as valgrind's dh_view.html loads it. Two entries with the same stack are
 * an error there, so equal stacks are added up. What is live at the end counts as freed then.
 */
#include "export.h"
#include "memory.h"
#include "progress.h"
#include "symbols.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Shorter lives than this many microseconds count as short. Our clock steps by a few thousand. */
enum { SHORT_LIFE_US = 10000, TEXT_MAX = 4096 };

struct dhat {
    const struct export *export;
    struct groups *frames; /* by their text; their index is that in ftbl, less 1 */
    struct groups *stacks; /* by the indexes of their frames, "1,2,3" */
};

static size_t frame_index(struct dhat *dhat, const char *text)
{
    struct group *group = groups_at(dhat->frames, text);

    return (size_t)(group - dhat->frames->items) + 1;
}

/* "0x401136: main (demo.c:12)"; firefox relies on this form. */
static void frame_entry(const struct frame *frame, char text[TEXT_MAX])
{
    int prefix = snprintf(text, TEXT_MAX, "0x%" PRIX64 ": ", frame->address);

    if (frame->function != NULL)
        frame_text(frame, text + prefix, TEXT_MAX - (size_t)prefix);
    else if (frame->module != NULL)
        snprintf(text + prefix, TEXT_MAX - (size_t)prefix, "??? (in %s)", frame->module);
    else
        snprintf(text + prefix, TEXT_MAX - (size_t)prefix, "???");
}

/* The indexes of a site's frames, innermost first. */
static char *stack_key(struct dhat *dhat, const struct site *site)
{
    static char text[TEXT_MAX];
    struct frame *frames;
    unsigned count = site_frames(site, dhat->export->symbols, &frames);
    char *key = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&key, &size);

    if (stream == NULL)
        abort();
    for (unsigned i = 0; i < count; i++) {
        frame_entry(&frames[i], text);
        fprintf(stream, "%s%zu", i > 0 ? "," : "", frame_index(dhat, text));
    }
    if (count == 0)
        fprintf(stream, "%zu", frame_index(dhat, "0x0: (unknown)"));
    fclose(stream);
    free(frames);
    return key;
}

/* The ages of the live chunks of each site, added up. */
static uint64_t *ages_of(const struct sites *sites)
{
    uint64_t *ages = memory_new(sites->count, sizeof(*ages));

    for (size_t i = 0; i < sites->chunk_count; i++)
        if (sites->chunks[i].site < sites->count)
            ages[sites->chunks[i].site] += sites->chunks[i].age_ns * sites->chunks[i].count;
    return ages;
}

static void add_stacks(struct dhat *dhat)
{
    const struct sites *sites = dhat->export->sites;
    uint64_t *ages = ages_of(sites);
    struct progress progress;

    progress_begin(&progress, "reading symbols", sites->count);
    for (size_t i = 0; i < sites->count; i++) {
        char *key = stack_key(dhat, &sites->items[i]);
        struct group *group = groups_at(dhat->stacks, key);

        group_add(group, &sites->items[i], VALUE_ALLOCATED);
        group->order += ages[i];
        free(key);
        progress_step(&progress, i + 1);
    }
    progress_end(&progress);
    free(ages);
}

static uint64_t larger(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

static void put_stack(const struct group *group, FILE *file)
{
    const struct site *sum = &group->sum;
    uint64_t most = larger(sum->most, larger(sum->peak, sum->live));
    uint64_t most_bytes = larger(sum->most_bytes, larger(sum->peak_bytes, sum->live_bytes));

    fprintf(file, "{\"tb\":%" PRIu64 ",\"tbk\":%" PRIu64 ",\"tl\":%" PRIu64, sum->bytes,
            sum->allocations, (sum->lifetime_ns + group->order) / 1000);
    fprintf(file, ",\"mb\":%" PRIu64 ",\"mbk\":%" PRIu64, most_bytes, most);
    fprintf(file, ",\"gb\":%" PRIu64 ",\"gbk\":%" PRIu64, sum->peak_bytes, sum->peak);
    fprintf(file, ",\"eb\":%" PRIu64 ",\"ebk\":%" PRIu64, sum->live_bytes, sum->live);
    fprintf(file, ",\"fs\":[%s]}", group->key);
}

static void put_header(const struct sites *sites, FILE *file)
{
    fputs("{\"dhatFileVersion\":2,\"mode\":\"heap\",\"verb\":\"Allocated\",\n"
          "\"bklt\":true,\"bkacc\":false,\"tu\":\"us\",\"Mtu\":\"s\",",
          file);
    fprintf(file, "\"tuth\":%d,\n\"cmd\":", SHORT_LIFE_US);
    utf8_json(file, sites->command == NULL ? site_unknown : sites->command);
    fprintf(file, ",\"pid\":%d,\"te\":%" PRIu64 ",\"tg\":%" PRIu64 ",\n\"pps\":[", sites->pid,
            sites->duration_ns / 1000,
            (sites->peak_ns < sites->duration_ns ? sites->peak_ns : sites->duration_ns) / 1000);
}

bool export_dhat(const struct export *export, FILE *file)
{
    struct dhat dhat = {.export = export};

    dhat.frames = groups_new();
    dhat.stacks = groups_new();
    add_stacks(&dhat);
    put_header(export->sites, file);
    for (size_t i = 0; i < dhat.stacks->count; i++) {
        fputs(i > 0 ? ",\n" : "\n", file);
        put_stack(&dhat.stacks->items[i], file);
    }
    fputs("],\n\"ftbl\":[\"[root]\"", file);
    for (size_t i = 0; i < dhat.frames->count; i++) {
        fputs(",\n", file);
        utf8_json(file, dhat.frames->items[i].key);
    }
    fputs("]}\n", file);
    groups_free(dhat.frames);
    groups_free(dhat.stacks);
    return ferror(file) == 0;
}
