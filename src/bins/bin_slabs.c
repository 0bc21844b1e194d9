/*
 * The slabs behind a bin's stack: the current one, the ring of partial ones, the spare one, and how
 * chunks are returned to them.
 */
#include "bins/bin_slabs.h"

enum {
    /* How many partial slabs are compared to find the fullest. */
    CANDIDATES = 4,
    /*
     * How many vacant TINY chunks are worth a refill: sparing fresh memory is not worth a slow call
     * for every chunk or two. For SMALL, one chunk is enough.
     */
    WORTH_A_REFILL = 4,
    /*
     * An empty slab of up to this many units may be kept as the spare one; a longer one is returned
     * to its heap at once.
     */
    SPARE_UNITS_MAX = 4,
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
    if (slab == NULL) {
        slab = bin->spare;
        bin->spare = NULL;
    }
    if (slab == NULL)
        slab = slab_create(bin_heaps(bin), bin->size_class);
    bin->current = slab;
    if (slab != NULL)
        slab->place = SLAB_CURRENT;
    return slab;
}

static void keep_spare_or_destroy(struct bin *bin, struct slab *slab)
{
    if (bin->spare == NULL && size_classes[bin->size_class].units <= SPARE_UNITS_MAX) {
        slab->place = SLAB_SPARE;
        bin->spare = slab;
    } else {
        slab_destroy(slab);
    }
}

/* Moves a slab that was full, or has become empty, to its new place. */
static __attribute__((noinline)) void change_place(struct bin *bin, struct slab *slab)
{
    const struct size_class *shape = &size_classes[bin->size_class];

    if (slab->place == SLAB_CURRENT) {
        if (slab->free == shape->chunks && shape->units > SPARE_UNITS_MAX) {
            bin->current = NULL;
            slab_destroy(slab);
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

/*
 * Returns how many chunks, `most` at most, lie side by side, each `step` bytes behind the one
 * before.
 */
static unsigned row_length(void **chunks, unsigned most, intptr_t step)
{
    unsigned length = 1;

    while (length < most && (intptr_t)chunks[length] - (intptr_t)chunks[length - 1] == step)
        length++;
    return length;
}

/*
 * Returns a row of chunks to its slab, and the row's length to the caller. Chunks that are freed in
 * the order of their allocation, or in reverse, come in rows; the bits of a row are set at once.
 */
static __attribute__((noinline)) unsigned put_row(struct slab *slab, unsigned index, void **chunks,
                                                  unsigned count)
{
    const struct size_class *shape = &size_classes[slab->size_class];
    bool upward = (uintptr_t)chunks[1] > (uintptr_t)chunks[0];
    unsigned most = upward ? shape->chunks - index : index + 1;
    unsigned row = row_length(chunks, count < most ? count : most,
                              upward ? (intptr_t)shape->size : -(intptr_t)shape->size);

    slab_put_row(slab, upward ? index : index - (row - 1), row);
    return row;
}

static inline struct slab *slab_around(uintptr_t chunk, bool tiny, uintptr_t *start)
{
    struct slab *slab = tiny ? tiny_slab(chunk) : small_slab(chunk);

    *start = tiny ? chunk & ~(uintptr_t)(UNIT_SIZE - 1) : slab_start(slab);
    return slab;
}

static inline bool side_by_side(void **chunks, uint32_t size)
{
    uintptr_t distance = (uintptr_t)chunks[1] - (uintptr_t)chunks[0];

    return distance == size || distance == -(uintptr_t)size;
}

/* For chunks that come in rows. `tiny` is a constant at each call, here and below. */
static inline __attribute__((always_inline)) void rows_to_slabs(struct bin *bin, void **chunks,
                                                                void **end, bool tiny)
{
    const struct size_class shape = size_classes[bin->size_class];

    while (chunks < end) {
        uintptr_t start;
        struct slab *slab = slab_around((uintptr_t)*chunks, tiny, &start);
        unsigned index = chunk_index(&shape, (uint32_t)((uintptr_t)*chunks - start));
        unsigned row = 1;

        if (end - chunks > 1 && side_by_side(chunks, shape.size))
            row = put_row(slab, index, chunks, (unsigned)(end - chunks));
        else
            slab_put(slab, index);
        chunks += row;
        slab->free = (uint16_t)(slab->free + row);
        if (slab->free == shape.chunks || slab->place == SLAB_FULL)
            change_place(bin, slab);
    }
}

/* For chunks that do not come in rows. */
static inline __attribute__((always_inline)) void singles_to_slabs(struct bin *bin, void **chunks,
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

/* Returns chunks to their slabs. A sample tells whether they come in rows. */
static inline __attribute__((always_inline)) void to_slabs_of(struct bin *bin, void **chunks,
                                                              unsigned count, bool tiny)
{
    uint32_t size = size_classes[bin->size_class].size;

    if (count > 2 && (side_by_side(chunks, size) || side_by_side(chunks + count / 2, size)))
        rows_to_slabs(bin, chunks, chunks + count, tiny);
    else
        singles_to_slabs(bin, chunks, chunks + count, tiny);
}

void bin_to_slabs(struct bin *bin, void **chunks, unsigned count)
{
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

void bin_lost(struct bin *bin, struct slab *slab)
{
    if (slab->place == SLAB_CURRENT || slab->place == SLAB_FULL)
        return;
    if (slab->place == SLAB_SPARE)
        bin->spare = NULL;
    else
        ring_remove(bin, slab);
    slab->place = SLAB_FULL;
    if (slab->free > 0)
        ring_append(bin, slab);
}

void bin_release_empty(struct bin *bin)
{
    if (bin->spare != NULL) {
        slab_destroy(bin->spare);
        bin->spare = NULL;
    }
    if (bin->current != NULL && bin->current->free == size_classes[bin->size_class].chunks) {
        slab_destroy(bin->current);
        bin->current = NULL;
    }
}
