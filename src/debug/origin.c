/*
 * The search, and its wording:
 *
 *     ft_malloc: free(): double free of 0x7f2d3c050030 (TINY, 42 bytes)
 *       called by thread 4711:
 *         #0 0x55d0c3a011f7
 *       freed by thread 4712, 0.016 seconds ago:
 *         #0 0x55d0c3a0120c
 *       allocated by thread 4711, 0.020 seconds ago:
 *         #0 0x55d0c3a011d2
 */
#include "debug/origin.h"

#include "base/clock.h"
#include "base/modes.h"
#include "base/report_line.h"
#include "bins/guard_pool.h"
#include "debug/history.h"
#include "debug/hooks.h"

static bool find_guarded(uintptr_t address, struct origin *origin)
{
    enum guard_state state = guard_pool_callers(address, &origin->allocated, &origin->freed);

    origin->allocated_known = state == GUARD_LIVE || state == GUARD_CLOSING ||
                              state == GUARD_FREED || state == GUARD_LOST;
    origin->freed_known = origin->allocated_known && state != GUARD_LIVE;
    return origin->allocated_known;
}

void origin_find(uintptr_t address, uint64_t before, struct origin *origin)
{
    struct history_chunk chunk;

    if (find_guarded(address, origin))
        return;
    history_find(address, before, &chunk);
    origin->allocated_known = chunk.allocated_known;
    origin->freed_known = chunk.freed_known;
    if (chunk.allocated_known)
        origin->allocated = chunk.allocated.caller;
    if (chunk.freed_known)
        origin->freed = chunk.freed.caller;
}

void origin_put_time(struct text *text, uint64_t time, uint64_t now)
{
    enum { SECOND = 10 * CLOCK_TENTH, MILLI = SECOND / 1000 };
    uint64_t passed = now > time ? now - time : 0, rest = passed % SECOND / MILLI;

    text_string(text, " ");
    text_number(text, passed / SECOND);
    text_string(text, rest < 10 ? ".00" : rest < 100 ? ".0" : ".");
    text_number(text, rest);
    text_string(text, " seconds");
}

/* Addresses alone say nothing once the process has ended. */
static void put_place(struct text *text, uintptr_t pc)
{
    enum { PLACE = 256 };
    const struct ft_malloc_debug_hooks *hooks = debug_hooks();
    char place[PLACE];

    if (hooks == NULL || hooks->describe == NULL || hooks->describe(pc, place, PLACE) == 0)
        return;
    text_string(text, " ");
    text_string(text, place);
}

void origin_put_frames(struct text *text, const struct caller *caller)
{
    for (unsigned n = 0; n < caller->depth; n++) {
        text_string(text, "    #");
        text_number(text, n);
        text_string(text, " ");
        text_hex_lower(text, caller->frames[n]);
        put_place(text, caller->frames[n]);
        text_string(text, "\n");
    }
    if (caller->truncated)
        text_string(text, "    ...\n");
}

static void put_caller(struct text *text, const char *what, const struct caller *caller,
                       bool with_time)
{
    text_string(text, "  ");
    text_string(text, what);
    text_string(text, " by thread ");
    text_number(text, caller->thread);
    if (with_time) {
        text_string(text, ",");
        origin_put_time(text, caller->time, clock_now());
        text_string(text, " ago");
    }
    text_string(text, ":\n");
    origin_put_frames(text, caller);
}

static void put_unknown(struct text *text, const char *what)
{
    text_string(text, "  ");
    text_string(text, what);
    text_string(text, " by a call that the history does not hold\n");
}

/* Returns whether somebody must have freed the chunk that the report is about. */
static bool was_freed(enum ft_malloc_error_kind kind)
{
    return kind == FT_MALLOC_DOUBLE_FREE || kind == FT_MALLOC_CORRUPTION ||
           kind == FT_MALLOC_USE_AFTER_FREE;
}

static void put_origin(struct text *text, const struct report *report, uint64_t before)
{
    struct origin origin;

    origin_find(report->chunk, before, &origin);
    if (was_freed(report->kind)) {
        if (origin.freed_known)
            put_caller(text, "freed", &origin.freed, true);
        else if (report->kind == FT_MALLOC_DOUBLE_FREE)
            put_unknown(text, "freed");
    }
    if (origin.allocated_known)
        put_caller(text, "allocated", &origin.allocated, true);
    else
        put_unknown(text, "allocated");
}

static void put_details(struct text *text, const struct report *report)
{
    const struct ft_malloc_debug_hooks *hooks = debug_hooks();
    struct caller caller;
    uint64_t before = UINT64_MAX;

    if (report->noted && history_current(report->address, &caller, &before))
        put_caller(text, "called", &caller, false);
    if (report->chunk != 0)
        put_origin(text, report, before);
    text_flush(text);
    if (report->chunk != 0 && hooks != NULL && hooks->reported != NULL)
        hooks->reported(report->chunk);
}

void origin_begin(void)
{
    report_set_details(put_details);
}
