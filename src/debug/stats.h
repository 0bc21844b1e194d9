/*
 * Figures for people: the line of FT_MALLOC_STATS=1, and what malloc_stats() prints. Figures for
 * programs: the line of FT_MALLOC_STATS=json, an object of JSON.
 */
#ifndef FT_DEBUG_STATS_H
#define FT_DEBUG_STATS_H

#include "arena/thread.h"
#include "base/text.h"
#include "debug/event.h"

/* Figures beside the number of calls of each kind that succeeded. */
enum { STATS_FAILED = EVENT_KINDS, STATS_BYTES, STATS_FIGURES };

/*
 * Each thread counts in one of several places, so that they do not all write to one cache line. Any
 * thread adds to them and any thread reads them; relaxed, because sums order nothing. The figure
 * `rmw` leaves these additions out, because it measures the allocator, not the counting.
 */
enum { STATS_STRIPES = 8 };
struct stats_stripe {
    _Alignas(64) _Atomic uint64_t of[STATS_FIGURES];
};
extern struct stats_stripe stats_stripes[STATS_STRIPES];

static inline struct stats_stripe *stats_stripe(void)
{
    /* Threads' blocks of TLS are a stack apart, as a rule an odd number of pages. */
    return &stats_stripes[((uintptr_t)&thread_self >> 12) % STATS_STRIPES];
}

static inline void stats_add(struct stats_stripe *stripe, unsigned figure, uint64_t amount)
{
    atomic_fetch_add_explicit(&stripe->of[figure], amount, memory_order_relaxed);
}

/* Counts a call that succeeded. Any thread. */
static inline void stats_count_taken(enum event_kind kind, size_t size)
{
    struct stats_stripe *stripe = stats_stripe();

    stats_add(stripe, kind, 1);
    stats_add(stripe, STATS_BYTES, size);
}

/* Counts any call. */
void stats_count(const struct event *event);

/*
 * Calls `visit` with the number of calls of each kind, of calls that failed, of bytes that were
 * asked for, and of chunks that were freed for another arena; all since the first time that the
 * mode was on, and only of calls while it was.
 */
void stats_calls(void (*visit)(struct text *text, const char *name, uint64_t value),
                 struct text *text);

/* Writes the line of JSON. Returns 0, or what write() failed with. */
int stats_json(int fd);

/* Writes one line to stderr if FT_MALLOC_STATS is set. */
void stats_at_exit(void);

/* Writes a table to stderr. */
void stats_print(void);

#endif
