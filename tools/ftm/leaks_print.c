/*
 * Leaks in Valgrind's words, and as JSON.
 */
#include "groups.h"
#include "leaks.h"
#include "out.h"
#include "sites.h"
#include "source.h"
#include "symbols.h"
#include "table.h"
#include "view.h"

#include <inttypes.h>
#include <stdlib.h>

static const struct {
    const char *name;  /* in options and in JSON */
    const char *words; /* in a record */
    const char *label; /* in the summary */
} kinds[MARK_KINDS] = {
    [MARK_LOST] = {"definite", "definitely lost", "   definitely lost"},
    [MARK_INDIRECT] = {"indirect", "indirectly lost", "   indirectly lost"},
    [MARK_POSSIBLE] = {"possible", "possibly lost", "     possibly lost"},
    [MARK_REACHABLE] = {"reachable", "still reachable", "   still reachable"},
    [MARK_SUPPRESSED] = {"suppressed", "suppressed", "        suppressed"},
};

/* In the order in which the summary has them. */
static const enum mark_kind in_order[MARK_KINDS] = {MARK_LOST, MARK_INDIRECT, MARK_POSSIBLE,
                                                    MARK_REACHABLE, MARK_SUPPRESSED};

struct text {
    struct out *out;
    const struct leaks *leaks;
    char prefix[32];
};

static void print_stack(struct text *text, const struct loss *loss)
{
    struct frame *frames;
    unsigned count;
    const struct site *site;

    if (loss->site == NO_SITE)
        return;
    site = &text->leaks->sites->items[loss->site];
    count = site_frames(site, text->leaks->symbols, &frames);
    for (unsigned i = 0; i < count; i++) {
        char name[400];

        (void)frame_text(&frames[i], name, sizeof name);
        out_format(text->out, "%s   %s 0x%" PRIX64 ": ", text->prefix, i == 0 ? "at" : "by",
                   frames[i].address);
        out_name(text->out, name);
        out_text(text->out, "\n");
    }
    if (site->truncated)
        out_format(text->out, "%s   (the stack goes on)\n", text->prefix);
    free(frames);
}

static void print_examples(struct text *text, const struct loss *loss)
{
    out_format(text->out, "%s   ", text->prefix);
    for (unsigned i = 0; i < EXAMPLES && i < loss->blocks; i++) {
        out_text(text->out, i == 0 ? "in " : ", ");
        out_hex(text->out, loss->examples[i]);
        if (loss->site != NO_SITE)
            out_format(text->out, " (%" PRIu64 " bytes)", loss->example_sizes[i]);
    }
    out_text(text->out, loss->blocks > EXAMPLES ? ", ...\n" : "\n");
}

static void print_loss(struct text *text, const struct loss *loss, size_t number)
{
    char total[NUMBER_TEXT], direct[NUMBER_TEXT], indirect[NUMBER_TEXT], blocks[NUMBER_TEXT];

    out_format(text->out, "%s%s ", text->prefix,
               number_text(loss->bytes + loss->indirect_bytes, total));
    if (loss->indirect_blocks > 0)
        out_format(text->out, "(%s direct, %s indirect) ", number_text(loss->bytes, direct),
                   number_text(loss->indirect_bytes, indirect));
    out_format(text->out, "bytes in %s blocks are %s in loss record %zu of %zu\n",
               number_text(loss->blocks, blocks), kinds[loss->kind].words, number,
               text->leaks->loss_count);
    print_stack(text, loss);
    print_examples(text, loss);
    out_format(text->out, "%s\n", text->prefix);
}

static void print_summary(struct text *text)
{
    char bytes[NUMBER_TEXT], blocks[NUMBER_TEXT];

    out_format(text->out, "%sLEAK SUMMARY:\n", text->prefix);
    for (unsigned i = 0; i < MARK_KINDS; i++)
        out_format(text->out, "%s%s: %s bytes in %s blocks\n", text->prefix,
                   kinds[in_order[i]].label,
                   number_text(text->leaks->sums[in_order[i]].bytes, bytes),
                   number_text(text->leaks->sums[in_order[i]].blocks, blocks));
}

static void print_used_suppressions(struct text *text, const struct suppressions *suppressions)
{
    bool first = true;

    for (size_t i = 0; i < suppressions->count; i++) {
        const struct suppression *one = &suppressions->list[i];

        if (one->blocks == 0)
            continue;
        if (first)
            out_format(text->out, "%s\n%sSuppressions used:\n%s  count      bytes template\n",
                       text->prefix, text->prefix, text->prefix);
        first = false;
        out_format(text->out, "%s%7" PRIu64 " %10" PRIu64 " ", text->prefix, one->blocks,
                   one->bytes);
        out_name(text->out, one->pattern);
        out_text(text->out, "\n");
    }
}

/* What makes the answer less sure, or could make it better. */
static void print_notes(struct text *text, const struct leaks_options *options)
{
    const struct leaks *leaks = text->leaks;
    bool live = source_kind(leaks->target.source) == SOURCE_LIVE;
    bool lost = leaks->sums[MARK_LOST].blocks + leaks->sums[MARK_POSSIBLE].blocks > 0;

    out_format(text->out, "%s\n", text->prefix);
    if (lost && leaks->sites == NULL)
        out_format(text->out,
                   "%sWho allocated them is not known: run with FT_MALLOC_RECORD=1, or\n"
                   "%sFT_MALLOC_PROFILE for a sample.\n",
                   text->prefix, text->prefix);
    if (lost && live && !options->stop)
        out_format(text->out,
                   "%sThe process was not stopped, so registers of its threads are not known: a\n"
                   "%schunk that only a register points to seems lost. --stop looks at them.\n",
                   text->prefix, text->prefix);
    if (lost && !live && leaks->no_registers > 0)
        out_format(text->out,
                   "%sRegisters of %u of %u threads are not known: a chunk that only a register\n"
                   "%spoints to seems lost.\n",
                   text->prefix, leaks->no_registers, leaks->threads, text->prefix);
    if (leaks->whole_stacks > 0)
        out_format(text->out,
                   "%sThe stack pointers of %u of %u threads are not known: what is left on their\n"
                   "%sstacks from earlier calls may hide leaks.\n",
                   text->prefix, leaks->whole_stacks, leaks->threads, text->prefix);
    if (leaks->left_out > 0)
        out_format(text->out, "%s%zu chunks are left out: the source is broken\n", text->prefix,
                   leaks->left_out);
}

static void print_text(const struct leaks *leaks, const struct leaks_options *options,
                       struct out *out)
{
    struct text text = {.out = out, .leaks = leaks};
    uint64_t bytes = 0, blocks = 0;
    char first[NUMBER_TEXT], second[NUMBER_TEXT];

    (void)snprintf(text.prefix, sizeof text.prefix,
                   "==%d== ", (int)source_pid(leaks->target.source));
    for (unsigned i = 0; i < MARK_KINDS; i++) {
        bytes += leaks->sums[i].bytes;
        blocks += leaks->sums[i].blocks;
    }
    out_format(out, "%sHEAP SUMMARY:\n%s    in use: %s bytes in %s blocks\n%s\n", text.prefix,
               text.prefix, number_text(bytes, first), number_text(blocks, second), text.prefix);
    for (size_t i = 0; i < leaks->loss_count; i++)
        print_loss(&text, &leaks->losses[i], i + 1);
    print_summary(&text);
    print_used_suppressions(&text, &options->suppressions);
    print_notes(&text, options);
}

static void json_loss(struct json *json, const struct leaks *leaks, const struct loss *loss)
{
    json_object(json, NULL);
    json_string(json, "kind", kinds[loss->kind].name);
    json_number(json, "blocks", loss->blocks);
    json_number(json, "bytes", loss->bytes);
    json_number(json, "indirect_blocks", loss->indirect_blocks);
    json_number(json, "indirect_bytes", loss->indirect_bytes);
    json_array(json, "examples");
    for (unsigned i = 0; i < EXAMPLES && i < loss->blocks; i++) {
        json_object(json, NULL);
        json_address(json, "address", loss->examples[i]);
        json_number(json, "bytes", loss->example_sizes[i]);
        json_close(json);
    }
    json_close(json);
    if (loss->site != NO_SITE)
        json_stack(json, &leaks->sites->items[loss->site], leaks->symbols);
    json_close(json);
}

static void json_sums(struct json *json, const struct leaks *leaks)
{
    json_object(json, "summary");
    for (unsigned i = 0; i < MARK_KINDS; i++) {
        json_object(json, kinds[in_order[i]].name);
        json_number(json, "blocks", leaks->sums[in_order[i]].blocks);
        json_number(json, "bytes", leaks->sums[in_order[i]].bytes);
        json_close(json);
    }
    json_close(json);
}

static void print_json(const struct leaks *leaks, const struct leaks_options *options,
                       struct out *out)
{
    struct json json;

    json_begin(&json, out);
    json_object(&json, NULL);
    json_number(&json, "pid", (uint64_t)source_pid(leaks->target.source));
    json_string(&json, "command", source_command(leaks->target.source));
    json_array(&json, "records");
    for (size_t i = 0; i < leaks->loss_count; i++)
        json_loss(&json, leaks, &leaks->losses[i]);
    json_close(&json);
    json_sums(&json, leaks);
    json_array(&json, "suppressions");
    for (size_t i = 0; i < options->suppressions.count; i++) {
        json_object(&json, NULL);
        json_string(&json, "pattern", options->suppressions.list[i].pattern);
        json_number(&json, "blocks", options->suppressions.list[i].blocks);
        json_number(&json, "bytes", options->suppressions.list[i].bytes);
        json_close(&json);
    }
    json_close(&json);
    json_bool(&json, "stacks_known", leaks->sites != NULL);
    json_bool(&json, "stopped", options->stop);
    json_number(&json, "passes", leaks->passes);
    json_number(&json, "threads", leaks->threads);
    json_number(&json, "threads_without_registers", leaks->no_registers);
    json_number(&json, "threads_with_whole_stacks", leaks->whole_stacks);
    json_number(&json, "left_out", leaks->left_out);
    json_close(&json);
}

bool leaks_print(const struct leaks *leaks, const struct leaks_options *options)
{
    struct out *out = out_begin();

    if (options->json)
        print_json(leaks, options, out);
    else
        print_text(leaks, options, out);
    return out_end(out);
}
