/*
 * Which arenas are visited, and when.
 */
#include "arena/visit.h"

#include "arena/remote.h"
#include "base/clock.h"
#include "os/os.h"

enum {
    /*
     * How much the visitors of an arena may leave to its threads, of what they returned to slabs
     * while none of these came, and how much they may leave in all arenas together.
     */
    LEAVE_OWN = 512 << 10,
    LEAVE_COMMON = 6 << 20,
    /* How many arenas a call looks at. */
    LOOK = 16,
    /*
     * If an arena's threads have made no tick for so long, the arena is visited; and how soon after
     * a visit the next one may be made.
     */
    IDLE = 8 * CLOCK_TENTH,
    PIECE = CLOCK_TENTH / 25,
    /*
     * How many bytes of fresh memory are worth a look at what is kept, and how many pages. A
     * process that keeps more than WAY_MANY looks when a part of that was handed out, so that it
     * makes few calls.
     */
    WAY_BYTES = 256 << 10,
    WAY_PAGES = 16,
    WAY_MANY = 32 << 20,
    WAY_PART = 16,
    WAY_BYTES_MAX = 8 << 20,
};

OS_TOUCHED _Atomic bool visit_unfinished;

/* The sum of `returned` over all arenas. Relaxed, here and below: a sum orders nothing. */
static _Atomic size_t left_behind;

static void leave_behind(struct arena *arena, size_t returned)
{
    /* The sum is modulo 2^64, so a difference below zero is added correctly, too. */
    atomic_fetch_add_explicit(&left_behind, returned - arena->returned, memory_order_relaxed);
    arena->returned = returned;
}

void visit_settle(struct arena *arena)
{
    leave_behind(arena, 0);
}

/* Notes what was returned, and gives back some of it if that is too much. */
static void bound(struct arena *arena, size_t returned)
{
    leave_behind(arena, arena->returned + returned);
    if (arena->returned > LEAVE_OWN &&
        atomic_load_explicit(&left_behind, memory_order_relaxed) > LEAVE_COMMON) {
        arena_trim_step(arena);
        leave_behind(arena, 0);
    }
}

/*
 * Returns some of the inbox to the slabs. Returns whether much is left there. A few parcels of
 * small chunks may wait for the arena's threads.
 */
static bool return_inbox(struct arena *arena)
{
    bool much_left = false;

    if (!arena_try_lock(arena))
        return false;
    if (!arena_is_damaged(arena)) {
        size_t returned;

        bins_enter(&arena->bins, NULL, NULL, false, HEAP_ALLOWANCE);
        returned = remote_return(arena);
        bound(arena, returned);
        much_left = returned >= VISIT_INBOX_BYTES &&
                    (arena->unpacking != NULL || visit_inbox_is_full(arena));
        arena_make_way(arena);
    }
    arena_unlock(arena);
    return much_left;
}

void visit_inbox(struct arena *arena)
{
    enum { CALLS_MOST = 8 };

    for (unsigned calls = 0; calls < CALLS_MOST && return_inbox(arena); calls++) {
    }
}

void visit_after_push(struct arena *arena, size_t bytes)
{
    size_t gathered =
        atomic_fetch_add_explicit(&arena->inbox_bytes, bytes, memory_order_relaxed) + bytes;

    os_count_rmw();
    if (unlikely(gathered >= VISIT_INBOX_BYTES))
        visit_inbox(arena);
}

/* Returns whether the arena has something to give back, and its threads do not do it. */
static bool wants_visit(struct arena *arena, uint64_t now)
{
    /* Relaxed, both: a value that is out of date will do, because there are more looks. */
    uint64_t next_tick = atomic_load_explicit(&arena->bins.next_tick, memory_order_relaxed);

    /* The first tick of a new arena may still be to come. */
    return next_tick != 0 && next_tick < now && now - next_tick > IDLE &&
           atomic_load_explicit(&arena->restless, memory_order_relaxed);
}

enum visit { VISIT_REFUSED, VISIT_UNFINISHED, VISIT_DONE };

/*
 * An arena whose lock somebody holds is not visited, nor is one that is to be repaired, because
 * only its own threads repair it.
 */
static enum visit visit(struct arena *arena)
{
    enum visit result = VISIT_REFUSED;

    if (!arena_try_lock(arena))
        return VISIT_REFUSED;
    if (!arena_is_damaged(arena)) {
        bins_enter(&arena->bins, NULL, NULL, false, HEAP_ALLOWANCE);
        /*
         * What comes from now on makes the arena restless again. Sequentially consistent, because
         * the last look at the inbox comes after it.
         */
        atomic_store_explicit(&arena->restless, false, memory_order_seq_cst);
        result = arena_trim_step(arena) ? VISIT_DONE : VISIT_UNFINISHED;
        leave_behind(arena, 0);
        if (result == VISIT_UNFINISHED)
            arena_stir(arena);
        arena_make_way(arena);
    }
    arena_unlock(arena);
    return result;
}

bool visit_one(void)
{
    uint64_t now = clock_now();

    /* Acquire: each arena is complete. */
    for (struct arena *arena = atomic_load_explicit(&arena_list, memory_order_acquire);
         arena != NULL; arena = arena->next)
        if (wants_visit(arena, now) && visit(arena) != VISIT_REFUSED)
            return true;
    return false;
}

/*
 * Looks at some arenas, beginning where the last call stopped, and visits one at most. Returns true
 * if it did, because others may want a visit, too.
 */
static bool look_around(uint64_t now)
{
    /*
     * Any thread writes it. Arenas are never unmapped, so it is safe to begin at any value. Acquire
     * and release: the arena is complete for this thread, too.
     */
    OS_TOUCHED static _Atomic(struct arena *) place;
    struct arena *arena = atomic_load_explicit(&place, memory_order_acquire);
    enum visit result = VISIT_REFUSED;

    for (unsigned seen = 0; seen < LOOK; seen++) {
        if (arena == NULL)
            /* Acquire: each arena is complete. */
            arena = atomic_load_explicit(&arena_list, memory_order_acquire);
        if (wants_visit(arena, now)) {
            result = visit(arena);
            if (result != VISIT_UNFINISHED)
                arena = arena->next;
            break;
        }
        arena = arena->next;
    }
    atomic_store_explicit(&place, arena, memory_order_release);
    return result != VISIT_REFUSED;
}

void visit_others(void)
{
    /* When the next look is due. Whoever changes it looks. Relaxed: it orders nothing. */
    OS_TOUCHED static _Atomic uint64_t next_look;
    uint64_t now = clock_now(), due = atomic_load_explicit(&next_look, memory_order_relaxed);

    if (due - now - 1 >= PIECE &&
        atomic_compare_exchange_strong_explicit(&next_look, &due, now + PIECE, memory_order_relaxed,
                                                memory_order_relaxed))
        atomic_store_explicit(&visit_unfinished, look_around(now), memory_order_relaxed);
}

static unsigned kept_by(const struct arena *arena)
{
    return kept_units(&arena->tiny.kept) + kept_units(&arena->small.kept);
}

/*
 * Returns the arena that keeps most of some arenas, beginning where the last call stopped. There is
 * one.
 */
static struct arena *find_keeper(void)
{
    /* As in look_around(), acquire and release make each arena complete for this thread. */
    OS_TOUCHED static _Atomic(struct arena *) place;
    struct arena *arena = atomic_load_explicit(&place, memory_order_acquire), *keeper = NULL;

    for (unsigned seen = 0; seen < LOOK; seen++) {
        if (arena == NULL)
            /* Acquire: each arena is complete. */
            arena = atomic_load_explicit(&arena_list, memory_order_acquire);
        if (keeper == NULL || kept_by(arena) > kept_by(keeper))
            keeper = arena;
        arena = arena->next;
    }
    atomic_store_explicit(&place, arena, memory_order_release);
    return keeper;
}

/* Gives back some kept units of the arena. Returns false if somebody holds its lock. */
static bool thin_out(struct arena *arena, unsigned units)
{
    if (!arena_try_lock(arena))
        return false;
    if (!arena_is_damaged(arena)) {
        unsigned given;

        bins_enter(&arena->bins, NULL, NULL, false, HEAP_ALLOWANCE);
        given = heap_set_make_way(&arena->small, units);
        heap_set_make_way(&arena->tiny, units - given);
    }
    arena_unlock(arena);
    return true;
}

static size_t least_way(void)
{
    size_t kept = kept_sum() * UNIT_SIZE, least = WAY_PAGES * os_page_size();

    if (least < WAY_BYTES)
        least = WAY_BYTES;
    if (kept > WAY_MANY)
        least = kept / WAY_PART;
    return least < WAY_BYTES_MAX ? least : WAY_BYTES_MAX;
}

void visit_make_way(size_t fresh)
{
    /* Fresh bytes that nothing has made way for. Any thread adds to it. Relaxed: a sum. */
    OS_TOUCHED static _Atomic size_t owed;
    size_t bytes, least;

    if (!kept_is_much() || kept_is_wanted())
        return;
    least = least_way();
    os_count_rmw();
    if (atomic_fetch_add_explicit(&owed, fresh, memory_order_relaxed) + fresh < least)
        return;
    os_count_rmw();
    bytes = atomic_exchange_explicit(&owed, 0, memory_order_relaxed);
    if (bytes > WAY_BYTES_MAX)
        bytes = WAY_BYTES_MAX;
    if (bytes >= least && !thin_out(find_keeper(), (unsigned)(bytes / UNIT_SIZE)))
        atomic_fetch_add_explicit(&owed, bytes, memory_order_relaxed);
}

size_t visit_to_trim(const struct arena *own)
{
    size_t bytes = 0;

    /* Acquire: each arena is complete. */
    for (struct arena *arena = atomic_load_explicit(&arena_list, memory_order_acquire);
         arena != NULL; arena = arena->next) {
        if (arena == own)
            continue;
        arena_lock(arena);
        bins_enter(&arena->bins, NULL, NULL, false, HEAP_ALLOWANCE);
        bytes += arena_trim(arena);
        leave_behind(arena, 0);
        arena_make_way(arena);
        arena_unlock(arena);
    }
    return bytes;
}

void visit_after_fork(void)
{
    struct arena *arena = atomic_load_explicit(&arena_list, memory_order_relaxed);

    atomic_store_explicit(&left_behind, 0, memory_order_relaxed);
    kept_after_fork();
    for (; arena != NULL; arena = arena->next) {
        kept_tell_anew(&arena->tiny.kept);
        kept_tell_anew(&arena->small.kept);
    }
}
