/*
 * The bins of an arena: the stacks of free chunks that the fast paths use, how long they are, and
 * how they are filled and emptied.
 */
#include "base/clock.h"
#include "bins/bin_slabs.h"
#include "bins/limbo.h"
#include "bins/slab_pages.h"

#include <string.h>

enum {
    /* The lengths of the first stacks: all of them together fit in two pages. */
    FIRST_LIMIT_TINY = 16,
    FIRST_LIMIT_SMALL = 8,
    /* For chunks larger than this, the first stack holds one. */
    FIRST_SINGLE_FROM = 32 << 10,
    /*
     * The bounds of the longer stacks, in chunks and in bytes. The SMALL ones are also bounded
     * together.
     */
    LIMIT_TINY = 1024,
    LIMIT_TINY_BYTES = 64 << 10,
    LIMIT_SMALL = 256,
    LIMIT_SMALL_BYTES = 2 << 20,
    ROOM_OWN = 1 << 20,
    ROOM_COMMON = 16 << 20,
    /* How many bins are asked to shorten their stacks when one bin needs more than is left. */
    ASKED = 8,
    /* A stack that was filled this often is too short. */
    REFILLS = 8,
    /*
     * Memory that nobody used is given back: free units to the kernel after a tick or two; the
     * chunks of a stack to their slabs after BINS_FLUSH_TICKS, because they are spread over slabs
     * and their reuse would touch all of these.
     */
    TICK = CLOCK_TENTH / 4,
    /*
     * The rest of a tick that is too much for one call is done by the next call after this time;
     * other calls come in between.
     */
    TICK_PIECE = TICK / 8,
    /* How many chunks of unused stacks are returned to their slabs in one call. */
    FLUSH_CHUNKS = 2048,
};

/*
 * By how many bytes the SMALL stacks of all arenas may still be lengthened, beyond what each arena
 * has for itself. Any thread changes it; relaxed, because it is a sum that orders nothing.
 */
static _Atomic size_t room_common = ROOM_COMMON;

#define AT(size_class) ((size_class) * sizeof(struct bin))
#define AT_2(size_class) AT(size_class), AT(size_class)
#define AT_4(size_class) AT_2(size_class), AT_2(size_class)
const uint16_t tiny_bin_offsets[TINY_MAX / CHUNK_ALIGN + 1] = {
    AT(0),    AT(0),    AT(1),    AT(2),    AT(3),    AT(4),    AT(5),    AT(6),
    AT(7),    AT(8),    AT(9),    AT(10),   AT(11),   AT(12),   AT(13),   AT(14),
    AT(15),   AT_2(16), AT_2(17), AT_2(18), AT_2(19), AT_2(20), AT_2(21), AT_2(22),
    AT_2(23), AT_4(24), AT_4(25), AT_4(26), AT_4(27), AT_4(28), AT_4(29), AT_4(30),
};

static unsigned at_most(unsigned value, unsigned limit)
{
    return value < limit ? value : limit;
}

static unsigned first_limit(unsigned size_class)
{
    return size_class < TINY_CLASSES                           ? FIRST_LIMIT_TINY
           : size_classes[size_class].size > FIRST_SINGLE_FROM ? 1
                                                               : FIRST_LIMIT_SMALL;
}

static unsigned last_limit(unsigned size_class)
{
    unsigned size = size_classes[size_class].size;

    return size_class < TINY_CLASSES ? at_most(LIMIT_TINY_BYTES / size, LIMIT_TINY)
                                     : at_most(LIMIT_SMALL_BYTES / size, LIMIT_SMALL);
}

unsigned bin_limit_max(const struct bin *bin)
{
    return last_limit(bin->size_class);
}

size_t bins_slots(void)
{
    size_t slots = 0;

    /* A stack that is lengthened moves to a new place, twice as long. */
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        unsigned last = last_limit(size_class);

        for (unsigned limit = first_limit(size_class); limit < last; limit *= 2)
            slots += limit;
        slots += last;
    }
    return slots;
}

/* Makes all stacks short and empty, close together, and forgets all slabs. */
static void lay_out(struct bins *bins)
{
    void **slots = bins->slots;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        unsigned limit = first_limit(size_class);

        bins->of[size_class] = (struct bin){
            .top = slots,
            .end = slots + limit,
            .slots = slots,
            .live = state_live_base(size_class),
            .size_class = (uint8_t)size_class,
            .capacity = (uint16_t)limit,
        };
        slots += limit;
    }
    bins->next_slots = slots;
}

void bins_init(struct bins *bins, void **slots, struct heap_set *tiny, struct heap_set *small)
{
    bins->tiny = tiny;
    bins->small = small;
    bins->slots = slots;
    bins->room = ROOM_OWN;
    bins->hand = TINY_CLASSES;
    bins->flush_next = SIZE_CLASSES;
    lay_out(bins);
}

/* Returns false, and takes nothing, if there is not enough room. */
static bool room_take(struct bins *bins, size_t bytes)
{
    size_t common = atomic_load_explicit(&room_common, memory_order_relaxed);

    if (bytes <= bins->room) {
        bins->room -= bytes;
        return true;
    }
    do {
        if (bytes > common)
            return false;
        os_count_rmw();
    } while (!atomic_compare_exchange_weak_explicit(&room_common, &common, common - bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void room_give(struct bins *bins, size_t bytes)
{
    size_t own = ROOM_OWN - bins->room;

    own = bytes < own ? bytes : own;
    bins->room += own;
    if (bytes > own) {
        os_count_rmw();
        atomic_fetch_add_explicit(&room_common, bytes - own, memory_order_relaxed);
    }
}

static size_t bytes_of(const struct bin *bin, unsigned chunks)
{
    return (size_t)chunks * size_classes[bin->size_class].size;
}

/* Shortens a stack, which has no more chunks than the first one holds, to the length of that. */
static void shorten(struct bin *bin)
{
    unsigned first = first_limit(bin->size_class), limit = bin_limit(bin);

    bin->end = bin->slots + first;
    bin->refills = 0;
    if (bin->size_class >= TINY_CLASSES)
        room_give(bins_of(bin), bytes_of(bin, limit - first));
}

void bins_reset(struct bins *bins)
{
    /*
     * The stored length of a stack may be half written. Then a little of what all arenas share is
     * lost, and nothing else.
     */
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        struct bin *bin = &bins->of[size_class];

        if (bin_limit(bin) > first_limit(size_class) && bin_limit(bin) <= bin->capacity)
            room_give(bins, bytes_of(bin, bin_limit(bin) - first_limit(size_class)));
    }
    lay_out(bins);
}

static void lengthen(struct bin *bin, unsigned limit)
{
    struct bins *bins = bins_of(bin);
    unsigned count = bin_count(bin);

    if (limit > bin->capacity) {
        void **slots = bins->next_slots;

        bins->next_slots = slots + limit;
        memcpy(slots, bin->slots, count * sizeof slots[0]);
        bin->slots = slots;
        bin->top = slots + count;
        bin->capacity = (uint16_t)limit;
    }
    bin->refills = 0;
    bin->end = bin->slots + limit;
}

void bin_flush(struct bin *bin)
{
    bin_to_slabs(bin, bin->slots, bin_count(bin));
    bin->top = bin->slots;
    shorten(bin);
    bin_release_empty(bin);
}

/* Returns false if there is more to do, for another call. */
static bool flush_unused(struct bins *bins)
{
    for (unsigned chunks = 0; bins->flush_next < SIZE_CLASSES; bins->flush_next++) {
        struct bin *bin = &bins->of[bins->flush_next];

        if (chunks >= FLUSH_CHUNKS)
            return false;
        if (!bin->used) {
            chunks += bin_count(bin);
            bin_flush(bin);
        }
        bin->used = false;
    }
    return true;
}

/* Does a bounded piece of what is due. Returns true if that was the last one. */
static bool age_heaps(struct bins *bins)
{
    bool flushed = flush_unused(bins);

    if (bins->tiny_ages)
        bins->tiny_ages = !heap_set_age(bins->tiny);
    if (bins->small_ages)
        bins->small_ages = !heap_set_age(bins->small);
    return flushed && !bins->tiny_ages && !bins->small_ages && slab_pages_step(bins);
}

static __attribute__((noinline)) void tick_due(struct bins *bins, uint64_t now)
{
    if (bins->flush_next == SIZE_CLASSES && !bins->tiny_ages && !bins->small_ages) {
        bins->tiny_ages = bins->small_ages = true;
        if (++bins->ticks % BINS_FLUSH_TICKS == 0)
            bins->flush_next = 0;
    }
    bins->next_tick = now + (age_heaps(bins) ? TICK : TICK_PIECE);
    bins->ticked = true;
    if (limbo_any())
        limbo_empty(false);
}

static __attribute__((noinline)) void continue_unmapping(struct bins *bins)
{
    if (bins->tiny->waiting)
        heap_set_let_go(bins->tiny);
    if (bins->small->waiting)
        heap_set_let_go(bins->small);
}

void bins_trim(struct bins *bins)
{
    bins->tiny_ages = !heap_set_trim_step(bins->tiny);
    bins->small_ages = !heap_set_trim_step(bins->small);
    slab_pages_begin(bins);
    slab_pages_step(bins);
    bins->next_tick = 0;
}

/*
 * Called at the end of a slow call, when the bin and all others are in order; does its work once a
 * tick. This is not only for the sake of memory at rest: what was freed in one size is then
 * available to all others before fresh memory is touched.
 */
static void tick(struct bin *bin)
{
    struct bins *bins = bins_of(bin);
    uint64_t now = clock_now();

    bin->used = true;
    if (unlikely(bins->tiny->waiting | bins->small->waiting))
        continue_unmapping(bins);
    /* It is due when the time has come, and when the clock has jumped back. */
    if (unlikely(bins->next_tick - now - 1 >= TICK) && likely(bins->next_tick != BINS_NO_TICKS))
        tick_due(bins, now);
}

bool bin_refill(struct bin *bin, uint64_t *random)
{
    struct slab *slab = bin_next_current(bin);
    unsigned limit = bin_limit(bin);

    if (slab == NULL)
        return false;
    if (bin->size_class >= TINY_CLASSES)
        bin->refills = 1;
    else if (++bin->refills == REFILLS)
        lengthen(bin, at_most(limit * 2, bin_limit_max(bin)));
    limit = limit > 1 ? limit / 2 : 1;
    bin->top = bin->slots + (random == NULL ? slab_take(slab, bin->slots, limit)
                                            : slab_take_random(slab, bin->slots, limit, random));
    tick(bin);
    return true;
}

void *bin_take_one(struct bin *bin, bool *clean)
{
    struct slab *slab = bin_next_current(bin);

    /* The stack was too short this time, too. */
    if (bin->refills == 0)
        bin->refills = 1;
    return slab == NULL ? NULL : slab_take_one(slab, clean);
}

/* Returns the chunks that have been in the stack longest to their slabs. */
static void spill_oldest(struct bin *bin, unsigned count)
{
    unsigned rest = bin_count(bin) - count;

    bin_to_slabs(bin, bin->slots, count);
    memmove(bin->slots, bin->slots + count, rest * sizeof bin->slots[0]);
    bin->top = bin->slots + rest;
}

/*
 * Asks some bins for room: those that were not too short since they were last asked return to the
 * length of their first stack.
 */
static bool ask_for_room(struct bins *bins, size_t wanted)
{
    for (unsigned asked = 0; asked < ASKED; asked++) {
        struct bin *bin = &bins->of[bins->hand];
        unsigned first = first_limit(bin->size_class);

        bins->hand = bins->hand + 1 < SIZE_CLASSES ? bins->hand + 1 : TINY_CLASSES;
        if (bin->refills == 0 && bin_limit(bin) > first) {
            if (bin_count(bin) > first)
                spill_oldest(bin, bin_count(bin) - first);
            shorten(bin);
            if (room_take(bins, wanted))
                return true;
        }
        bin->refills = 0;
    }
    return false;
}

/*
 * Lengthens a stack that was filled from slabs and now is full again: it is too short for how much
 * its class varies. A SMALL stack is lengthened only if there is room for it. (Chunks that are all
 * freed at once overflow any stack.)
 */
static bool lengthen_if_short(struct bin *bin)
{
    struct bins *bins = bins_of(bin);
    unsigned old = bin_limit(bin);
    unsigned limit = at_most(old * 2, bin_limit_max(bin));
    size_t more = bytes_of(bin, limit - old);

    if (bin->refills == 0 || limit == old)
        return false;
    if (bin->size_class >= TINY_CLASSES && !room_take(bins, more) && !ask_for_room(bins, more))
        return false;
    lengthen(bin, limit);
    return true;
}

void bin_spill(struct bin *bin)
{
    unsigned limit = bin_limit(bin);

    if (lengthen_if_short(bin))
        return;
    spill_oldest(bin, limit - limit / 2);
    tick(bin);
}
