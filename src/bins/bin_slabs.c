/*
 * The slabs of a bin: the current one, the ring of partial ones, the spare one, and how
 * chunks are returned to them.
 */
#include "bins/bin_slabs.h"

#include "base/canary.h"
#include "base/options.h"
#include "base/report_line.h"

enum {
    /* How many partial slabs are compared to find the fullest. */
    CANDIDATES = 4,
    /*
     * How many vacant TINY chunks are worth a refill: sparing fresh memory is not worth a slow call
     * for every chunk or two. For SMALL, one chunk is enough.
     */
    WORTH_A_REFILL = 4,
    /* A bin may keep one empty slab of up to this many units; longer ones as SPARE_ROOM says. */
    SHORT_UNITS = 6,
    /*
     * Chunks that are returned to their slabs lie near each other if, of NEAR_SAMPLE pairs of
     * neighbours in the row, at least NEAR_LEAST are less than NEAR_CHUNKS chunks apart. From about
     * that share on, gathering bits word by word is quicker than setting them one by one.
     */
    NEAR_SAMPLE = 8,
    NEAR_LEAST = 6,
    NEAR_CHUNKS = 16,
};

#define BIT(n) UINT64_C(1) << (n)
#define BITS_8(n)                                                                                  \
    BIT(n), BIT((n) + 1), BIT((n) + 2), BIT((n) + 3), BIT((n) + 4), BIT((n) + 5), BIT((n) + 6),    \
        BIT((n) + 7)
static const uint64_t single_bit[64] = {
    BITS_8(0), BITS_8(8), BITS_8(16), BITS_8(24), BITS_8(32), BITS_8(40), BITS_8(48), BITS_8(56),
};

static void ring_append(struct bin *bin, struct slab *slab)
{
    struct slab *head = bin->partial;

    slab->place = SLAB_PARTIAL;
    if (head == NULL) {
        slab->next = slab->prev = slab;
        bin->partial = slab;
        return;
    }
    slab->next = head;
    slab->prev = head->prev;
    head->prev->next = slab;
    head->prev = slab;
}

static void ring_remove(struct bin *bin, struct slab *slab)
{
    if (slab->next == slab) {
        bin->partial = NULL;
        return;
    }
    slab->next->prev = slab->prev;
    slab->prev->next = slab->next;
    if (bin->partial == slab)
        bin->partial = slab->next;
}

/* Returns true if a vacant chunk was handed out before. */
static bool slab_has_used(const struct slab *slab)
{
    return slab->free > size_classes[slab->size_class].chunks - slab->fresh;
}

/*
 * Takes the fullest of the slabs that have waited longest out of the ring, so that sparse slabs
 * drain. Any slab with used chunks is preferred to one that has only fresh memory.
 */
static struct slab *ring_pick(struct bin *bin)
{
    struct slab *best = bin->partial;
    struct slab *slab = best;

    if (best == NULL)
        return NULL;
    for (unsigned seen = 1; seen < CANDIDATES && slab->next != bin->partial; seen++) {
        slab = slab->next;
        if (slab_has_used(slab) && (slab->free < best->free || !slab_has_used(best)))
            best = slab;
    }
    ring_remove(bin, best);
    return best;
}

/*
 * Returns true if the slab that has waited longest has enough used chunks to be worth a refill. If
 * it has none, it moves to the end of the ring; there is hardly ever more than one such slab.
 */
static bool ring_has_used(struct bin *bin)
{
    struct slab *head = bin->partial;

    if (head == NULL)
        return false;
    if (!slab_has_used(head))
        bin->partial = head->next;
    return slab_has_used(head) && (bin->size_class >= TINY_CLASSES || head->free >= WORTH_A_REFILL);
}

bool bin_has_used(struct bin *bin)
{
    return bin->spare != NULL || (bin->current != NULL && slab_has_used(bin->current)) ||
           ring_has_used(bin);
}

/* Returns how many units a slab of the bin has if it is a long one, else 0. */
static unsigned long_units(const struct bin *bin)
{
    unsigned units = size_classes[bin->size_class].units;

    return units > SHORT_UNITS ? units : 0;
}

static bool spare_fits(struct bin *bin)
{
    unsigned units = long_units(bin);

    return units == 0 ? bin->spare == NULL : bins_of(bin)->spare_units + units <= SPARE_ROOM;
}

static struct slab *spare_take(struct bin *bin)
{
    struct slab *slab = bin->spare;

    bin->spare = slab->next;
    bins_of(bin)->spare_units -= long_units(bin);
    return slab;
}

/*
 * Gives up long empty slabs of other bins, the longest first, until a slab of this bin needs no
 * fresh memory.
 */
static void free_spares_for(struct bin *bin)
{
    struct bins *bins = bins_of(bin);
    struct bin *other = &bins->of[SIZE_CLASSES - 1];

    while (bins->spare_units > 0 && !slab_keeps(bins->small, bin->size_class)) {
        while (other->spare == NULL || long_units(other) == 0)
            other--;
        slab_destroy(spare_take(other));
    }
}

struct slab *bin_next_current(struct bin *bin)
{
    struct slab *slab = bin->current;

    if (slab != NULL && slab->free > 0) {
        if (slab_has_used(slab) || !ring_has_used(bin))
            return slab;
        ring_append(bin, slab);
    } else if (slab != NULL) {
        slab->place = SLAB_FULL;
    }
    slab = ring_pick(bin);
    if (slab == NULL && bin->spare != NULL)
        slab = spare_take(bin);
    if (slab == NULL) {
        if (bin->size_class >= TINY_CLASSES)
            free_spares_for(bin);
        slab = slab_create(bin_heaps(bin), bin->size_class);
    }
    bin->current = slab;
    if (slab != NULL)
        slab->place = SLAB_CURRENT;
    return slab;
}

unsigned bin_take_used(struct bin *bin, void **out, unsigned most)
{
    unsigned count = 0;

    while (count < most && bin->size_class >= TINY_CLASSES && bin_has_used(bin)) {
        struct slab *slab = bin_next_current(bin);

        /* The spare one comes after those with memory that was never used. */
        if (!slab_has_used(slab))
            break;
        count += slab_take(slab, out + count, most - count);
    }
    return count;
}

static void keep_spare_or_destroy(struct bin *bin, struct slab *slab)
{
    if (!spare_fits(bin)) {
        slab_destroy(slab);
        return;
    }
    slab->place = SLAB_SPARE;
    slab->next = bin->spare;
    bin->spare = slab;
    bins_of(bin)->spare_units += long_units(bin);
}

/* Moves a slab that was full, or has become empty, to its new place. */
static __attribute__((noinline)) void change_place(struct bin *bin, struct slab *slab)
{
    const struct size_class *shape = &size_classes[bin->size_class];

    if (slab->place == SLAB_CURRENT) {
        if (slab->free == shape->chunks && shape->units > SHORT_UNITS) {
            bin->current = NULL;
            keep_spare_or_destroy(bin, slab);
        }
    } else if (slab->free == shape->chunks) {
        if (slab->place == SLAB_PARTIAL)
            ring_remove(bin, slab);
        keep_spare_or_destroy(bin, slab);
    } else {
        /* It is appended, so that it gathers more vacant chunks before its turn comes. */
        ring_append(bin, slab);
    }
}

static inline struct slab *slab_around(uintptr_t chunk, bool tiny, uintptr_t *start)
{
    struct slab *slab = tiny ? tiny_slab(chunk) : small_slab(chunk);

    *start = tiny ? chunk & ~(uintptr_t)(UNIT_SIZE - 1) : slab_start(slab);
    return slab;
}

/*
 * Sets the bits of the first of the chunks, up to the first one that has its bit in another word.
 * Returns how many these are; `start` is where the slab starts. A table replaces the shift, because
 * x86 shifts by a variable amount in three micro-operations.
 */
static inline __attribute__((always_inline)) unsigned put_word(struct slab *slab, uintptr_t start,
                                                               const struct size_class *shape,
                                                               void **chunks, void **end)
{
    uintptr_t size = shape->size, inverse = shape->inverse;
    unsigned word = chunk_index(shape, (uint32_t)((uintptr_t)*chunks - start)) / 64;
    unsigned left = shape->chunks - word * 64;
    uintptr_t first = start + word * 64 * size, span = (left < 64 ? left : 64) * size;
    uintptr_t offset = (uintptr_t)*chunks - first;
    void **next = chunks;
    uint64_t bits = 0;

    do {
        bits |= single_bit[offset * inverse >> 32];
        next++;
    } while (next < end && (offset = (uintptr_t)*next - first) < span);
    slab->vacant[word] |= bits;
    return (unsigned)(next - chunks);
}

/*
 * For chunks that lie near the one before, mostly. `tiny` is a constant at each call, here and
 * below.
 */
static inline __attribute__((always_inline)) void near_to_slabs(struct bin *bin, void **chunks,
                                                                void **end, bool tiny)
{
    const struct size_class shape = size_classes[bin->size_class];

    while (chunks < end) {
        uintptr_t start;
        struct slab *slab = slab_around((uintptr_t)*chunks, tiny, &start);
        unsigned count = put_word(slab, start, &shape, chunks, end);

        chunks += count;
        slab->free = (uint16_t)(slab->free + count);
        if (slab->free == shape.chunks || slab->place == SLAB_FULL)
            change_place(bin, slab);
    }
}

/* For chunks that lie anywhere. */
static inline __attribute__((always_inline)) void scattered_to_slabs(struct bin *bin, void **chunks,
                                                                     void **end, bool tiny)
{
    const struct size_class shape = size_classes[bin->size_class];

    for (; chunks < end; chunks++) {
        uintptr_t start;
        struct slab *slab = slab_around((uintptr_t)*chunks, tiny, &start);
        unsigned free = slab->free + 1u;

        slab_put(slab, chunk_index(&shape, (uint32_t)((uintptr_t)*chunks - start)));
        slab->free = (uint16_t)free;
        /*
         * One comparison detects both the first chunk of a slab that was full, and the last one of
         * all.
         */
        if (unlikely(free - 2u >= shape.chunks - 2u))
            change_place(bin, slab);
    }
}

/*
 * Returns true if most chunks lie near the one before, in a sample. So it is where a program frees
 * roughly in the order in which it allocated, or in reverse.
 */
static bool mostly_near(void **chunks, unsigned count, uint32_t size)
{
    unsigned step = count / NEAR_SAMPLE, near = 0;
    uintptr_t reach = (uintptr_t)NEAR_CHUNKS * size;

    if (step < 2)
        return false;
    for (void **pair = chunks; pair < chunks + (size_t)NEAR_SAMPLE * step; pair += step)
        near += (uintptr_t)pair[1] - (uintptr_t)pair[0] + reach < 2 * reach;
    return near >= NEAR_LEAST;
}

static inline __attribute__((always_inline)) void to_slabs_of(struct bin *bin, void **chunks,
                                                              unsigned count, bool tiny)
{
    if (mostly_near(chunks, count, size_classes[bin->size_class].size))
        near_to_slabs(bin, chunks, chunks + count, tiny);
    else
        scattered_to_slabs(bin, chunks, chunks + count, tiny);
}

/*
 * Reports chunks that were written to after free, where free memory is zero: a chunk in a slab may
 * wait for long until it is handed out and looked at, or go back with its slab. Clears the part of
 * it that was looked at, for programs that continue.
 */
static __attribute__((noinline)) void check_zero(void *const *chunks, unsigned count, size_t usable)
{
    for (void *const *chunk = chunks; chunk < chunks + count; chunk++)
        if (unlikely(!canary_zero((uintptr_t)*chunk, usable))) {
            report_corruption("memory written to after free: chunk", (uintptr_t)*chunk);
            memset(*chunk, 0, usable < CANARY_ZERO_MAX ? usable : CANARY_ZERO_MAX);
        }
}

void bin_to_slabs(struct bin *bin, void **chunks, unsigned count)
{
    if (unlikely(policy_zero_and_canary()))
        check_zero(chunks, count, size_classes[bin->size_class].size);
    bin_heaps(bin)->pages.returned += (size_t)count * size_classes[bin->size_class].size;
    if (bin->size_class < TINY_CLASSES)
        to_slabs_of(bin, chunks, count, true);
    else
        to_slabs_of(bin, chunks, count, false);
}

void bin_adopt(struct bin *bin, struct slab *slab)
{
    unsigned chunks = size_classes[bin->size_class].chunks;

    slab->place = SLAB_FULL;
    if (slab->free == chunks)
        keep_spare_or_destroy(bin, slab);
    else if (slab->free > 0)
        ring_append(bin, slab);
}

static void spare_remove(struct bin *bin, const struct slab *slab)
{
    struct slab **link = &bin->spare;

    while (*link != slab)
        link = &(*link)->next;
    *link = slab->next;
    bins_of(bin)->spare_units -= long_units(bin);
}

void bin_lost(struct bin *bin, struct slab *slab)
{
    if (slab->place == SLAB_CURRENT || slab->place == SLAB_FULL)
        return;
    if (slab->place == SLAB_SPARE)
        spare_remove(bin, slab);
    else
        ring_remove(bin, slab);
    slab->place = SLAB_FULL;
    if (slab->free > 0)
        ring_append(bin, slab);
}

void bin_release_empty(struct bin *bin)
{
    while (bin->spare != NULL)
        slab_destroy(spare_take(bin));
    if (bin->current != NULL && bin->current->free == size_classes[bin->size_class].chunks) {
        slab_destroy(bin->current);
        bin->current = NULL;
    }
}
