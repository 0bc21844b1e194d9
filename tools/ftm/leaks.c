/*
 * From passes to losses.
 */
#include "leaks.h"

#include "command.h"
#include "groups.h"
#include "leak_pass.h"
#include "losses.h"
#include "memory.h"
#include "sites_chunks.h"
#include "source.h"
#include "symbols.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Between two passes: long enough that a thread that was in the middle of something has gone on. */
enum { PAUSE_MS = 100 };

struct work {
    struct leaks *leaks;
    struct leaks_options *options;
    struct leak_pass pass;
    struct leak_memory before;
    /* For each site: 0 not looked at, 1 not suppressed, 2 + number of the suppression. */
    size_t *verdicts;
};

/* The frames are looked at whole, the allocator's own ones, too. */
static struct suppression *match_site(const struct work *work, const struct site *site)
{
    for (unsigned i = 0; i < site->depth; i++) {
        struct frame frames[SYMBOLS_INLINED_MAX];
        unsigned count =
            symbols_at(work->leaks->symbols, site->pcs[i] - 1, frames, SYMBOLS_INLINED_MAX);

        for (unsigned j = 0; j < count; j++) {
            const char *const names[] = {frames[j].function, frames[j].linkage, frames[j].file,
                                         frames[j].module};

            for (unsigned k = 0; k < sizeof names / sizeof *names; k++) {
                struct suppression *found =
                    suppressions_match(&work->options->suppressions, names[k]);

                if (found != NULL)
                    return found;
            }
        }
    }
    return NULL;
}

/* Returns the suppression for a chunk, or NULL. */
static struct suppression *suppression_of(struct work *work, uint64_t address)
{
    struct suppression *list = work->options->suppressions.list;
    size_t site = sites_site_at(work->leaks->sites, address);

    if (site == NO_SITE)
        return NULL;
    if (work->verdicts[site] == 0) {
        struct suppression *found = match_site(work, &work->leaks->sites->items[site]);

        work->verdicts[site] = found == NULL ? 1 : 2 + (size_t)(found - list);
    }
    return work->verdicts[site] == 1 ? NULL : &list[work->verdicts[site] - 2];
}

static bool suppress(struct work *work)
{
    struct leak_pass *pass = &work->pass;

    if (work->leaks->sites == NULL || work->options->suppressions.count == 0)
        return true;
    work->verdicts = memory_new(work->leaks->sites->count, sizeof *work->verdicts);
    for (size_t i = 0; i < pass->count; i++) {
        enum mark_kind kind = mark_kind(pass->mark, i);
        struct suppression *found;

        if (kind != MARK_LOST && kind != MARK_POSSIBLE)
            continue;
        found = suppression_of(work, pass->chunks[i].start);
        if (found == NULL)
            continue;
        found->blocks++;
        found->bytes += pass->chunks[i].size;
        if (!mark_suppress(pass->mark, i))
            return false;
    }
    return true;
}

static void add_up(struct work *work)
{
    struct leaks *leaks = work->leaks;
    struct leak_pass *pass = &work->pass;
    struct losses *losses = losses_new(pass->count);

    for (size_t i = 0; i < pass->count; i++) {
        enum mark_kind kind = mark_kind(pass->mark, i);

        leaks->sums[kind].blocks++;
        leaks->sums[kind].bytes += pass->chunks[i].size;
        if ((work->options->show >> kind & 1) != 0)
            losses_add(losses, i, kind, sites_site_at(leaks->sites, pass->chunks[i].start),
                       &pass->chunks[i]);
    }
    for (size_t i = 0; i < pass->count; i++)
        if (mark_kind(pass->mark, i) == MARK_INDIRECT)
            losses_add_indirect(losses, mark_leader(pass->mark, i), pass->chunks[i].size);
    leaks->losses = losses_sorted(losses, &leaks->loss_count);
}

/* Returns false after a line on stderr. */
static bool read_sites(struct leaks *leaks)
{
    if (!sites_present(leaks->target.view))
        return true;
    leaks->sites = sites_read(leaks->target.view);
    if (leaks->sites == NULL)
        return false;
    leaks->symbols = symbols_open(leaks->target.source);
    if (leaks->symbols == NULL)
        say("there is no memory for symbols");
    return leaks->symbols != NULL;
}

/*
 * Passes, until one finds nothing or there were enough; one is enough if nothing ran meanwhile. The
 * last one is left open.
 */
static bool run_passes(struct work *work, const char *name)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    unsigned most = work->options->stop ? 1 : work->options->passes;

    for (unsigned done = 1;; done++) {
        if (!leak_pass_begin(&work->pass, name, work->options, &work->before))
            return false;
        work->leaks->passes = done;
        if (done >= most || source_kind(work->pass.target.source) != SOURCE_LIVE ||
            leak_pass_undisturbed(&work->pass) || !leak_pass_suspects(&work->pass))
            return true;
        leak_pass_remember(&work->pass, &work->before);
        leak_pass_end(&work->pass, false);
        (void)nanosleep(&pause, NULL);
    }
}

static bool judge(struct work *work)
{
    if (suppress(work) && mark_finish(work->pass.mark))
        return true;
    say("there is no memory to look at %zu chunks", work->pass.count);
    return false;
}

bool leaks_find(const char *name, struct leaks_options *options, struct leaks *leaks)
{
    struct work work = {.leaks = leaks, .options = options};
    bool fine = false;

    *leaks = (struct leaks){.passes = 0};
    if (!run_passes(&work, name)) {
        leak_memory_free(&work.before);
        return false;
    }
    leaks->target = work.pass.target;
    leaks->threads = work.pass.roots.threads;
    leaks->whole_stacks = work.pass.roots.whole_stacks;
    leaks->no_registers = work.pass.roots.no_registers;
    leaks->left_out = work.pass.left_out;
    if (read_sites(leaks) && judge(&work)) {
        leak_pass_release(&work.pass);
        add_up(&work);
        fine = true;
    }
    leak_pass_end(&work.pass, true);
    leak_memory_free(&work.before);
    free(work.verdicts);
    if (!fine)
        leaks_free(leaks);
    return fine;
}

void leaks_free(struct leaks *leaks)
{
    free(leaks->losses);
    if (leaks->symbols != NULL)
        symbols_close(leaks->symbols);
    if (leaks->sites != NULL)
        sites_free(leaks->sites);
    target_close(&leaks->target);
    *leaks = (struct leaks){.passes = 0};
}
