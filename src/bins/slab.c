/*
 * Slabs: takes them from a heap, hands out their chunks in the order of addresses, and rebuilds
 * them from the states after a fork.
 */
#include "bins/slab.h"

#include "base/bits.h"
#include "base/secret.h"
#include "bins/page_look.h"
#include "os/os.h"

static void all_vacant(struct slab *slab, unsigned chunks)
{
    for (unsigned word = 0; word * 64 < chunks; word++) {
        unsigned left = chunks - word * 64;

        slab->vacant[word] = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
    }
    slab->free = (uint16_t)chunks;
}

static struct slab *slab_reserve(struct heap *heap, unsigned first)
{
    if (!heap->set->small)
        return tiny_slab(heap->base + (uintptr_t)first * UNIT_SIZE);
    /*
     * There is a number for each run of two units, and no SMALL slab is shorter, so a number is
     * free.
     */
    for (unsigned word = 0;; word++)
        if (heap->free_numbers[word] != 0) {
            unsigned bit = (unsigned)__builtin_ctzll(heap->free_numbers[word]);

            heap->free_numbers[word] &= heap->free_numbers[word] - 1;
            return small_slab_numbered(heap->base, word * 64 + bit);
        }
}

static unsigned slab_number(const struct slab *slab)
{
    return (unsigned)(((uintptr_t)slab - slab_heap(slab)->base - SMALL_SLABS_OFFSET) /
                      SMALL_SLAB_STRIDE);
}

/* Lets the slab be found from the addresses of its chunks (`there`), or not any more. */
static void slab_publish(struct slab *slab, bool there)
{
    const struct size_class *shape = &size_classes[slab->size_class];
    uintptr_t at = slab_start(slab);

    if (!slab_heap(slab)->set->small) {
        atomic_store_explicit(tiny_unit_class(at), (uint8_t)(slab->size_class + TINY_CLASS_MARK),
                              memory_order_relaxed);
        return;
    }
    for (unsigned unit = 0; unit < shape->units; unit++)
        /* Release: whoever finds the number finds the slab complete. */
        atomic_store_explicit(small_unit_number(at) - unit,
                              there ? (uint16_t)(slab_number(slab) + 1) : 0, memory_order_release);
}

static void identity_store(struct slab *slab, bool there)
{
    /* Relaxed: written with the arena's lock, which is held. */
    uint64_t old = atomic_load_explicit(&slab->identity, memory_order_relaxed);
    uint64_t generation = (old >> 32) + 1;
    uint64_t what =
        there ? (uint64_t)slab->first_unit << 16 | (uint64_t)slab->size_class << 8 | 1 : 0;

    /* Release: a walker that sees a new identity sees the states as they were when it began. */
    atomic_store_explicit(&slab->identity, generation << 32 | what, memory_order_release);
}

/*
 * Clears the states that its chunks will have. States of earlier chunks at other addresses are
 * never live, and nobody reads them. A state that is clear is only read, because writing makes its
 * page memory. The first one is written in any case: its page will be memory soon, and a page that
 * is read before it is first written to has two faults.
 */
static void forget_states(struct slab *slab)
{
    const struct size_class *shape = &size_classes[slab->size_class];
    uintptr_t start = slab_start(slab);

    for (unsigned index = 0; index < shape->chunks; index++, start += shape->size)
        if (index == 0 || small_kind(atomic_load_explicit(small_state(start),
                                                          memory_order_relaxed)) != STATE_NONE)
            small_forget(start);
}

/*
 * Returns the alignment of a slab in units: the largest power of two that divides the size of its
 * chunks. All its chunks are then aligned like this, too. So there is a SMALL class for every
 * alignment up to the largest size.
 */
static unsigned natural_units(unsigned size_class)
{
    uint32_t size = size_classes[size_class].size, natural = size & -size;

    return natural > UNIT_SIZE ? natural / UNIT_SIZE : 1;
}

bool slab_keeps(const struct heap_set *heaps, unsigned size_class)
{
    return heap_set_keeps(heaps, size_classes[size_class].units, natural_units(size_class));
}

struct slab *slab_create(struct heap_set *heaps, unsigned size_class)
{
    unsigned first;
    bool clean;
    struct heap *heap = heap_set_take_aligned(heaps, size_classes[size_class].units,
                                              natural_units(size_class), &first, &clean);
    struct slab *slab;

    if (heap == NULL)
        return NULL;
    slab = slab_reserve(heap, first);
    slab->size_class = (uint8_t)size_class;
    slab->first_unit = (uint16_t)first;
    slab->fresh = 0;
    slab->clean = clean;
    slab->given = false;
    slab->taken = true;
    all_vacant(slab, size_classes[size_class].chunks);
    if (heaps->small)
        forget_states(slab);
    identity_store(slab, true);
    slab_publish(slab, true);
    return slab;
}

void slab_destroy(struct slab *slab)
{
    const struct size_class *shape = &size_classes[slab->size_class];
    struct heap *heap = slab_heap(slab);

    identity_store(slab, false);
    slab_publish(slab, false);
    if (heap->set->small)
        heap->free_numbers[slab_number(slab) / 64] |= UINT64_C(1) << (slab_number(slab) % 64);
    heap_give_touched(heap, slab->first_unit, shape->units,
                      (slab->fresh * shape->size + UNIT_SIZE - 1) / UNIT_SIZE);
}

/*
 * Stores the addresses of the chunks whose bits are set, downward from `end`. `first` is the
 * address of the chunk of bit 0.
 */
static inline void **put_addresses(void **end, uint64_t bits, char *first, size_t size)
{
    if (bits == ~UINT64_C(0)) {
        /* The usual case in a slab that is new, or whose chunks all came back. */
        for (unsigned bit = 0; bit < 64; bit += 4, first += 4 * size) {
            end -= 4;
            end[3] = first;
            end[2] = first + size;
            end[1] = first + 2 * size;
            end[0] = first + 3 * size;
        }
        return end;
    }
    for (; bits != 0; bits &= bits - 1)
        *--end = first + (size_t)__builtin_ctzll(bits) * size;
    return end;
}

/* Returns the lowest `count` of the set bits, or all if there are not so many. */
static uint64_t lowest_of(uint64_t bits, unsigned count)
{
    uint64_t rest = bits;

    while (count-- > 0 && rest != 0)
        rest &= rest - 1;
    return bits ^ rest;
}

unsigned slab_take(struct slab *slab, void **out, unsigned most)
{
    size_t size = size_classes[slab->size_class].size;
    char *first = pointer_to(slab_start(slab));
    unsigned count = most < slab->free ? most : slab->free;
    void **end = out + count;
    unsigned word = 0;
    uint64_t taken = 0;

    for (; end > out; word++, first += 64 * size) {
        uint64_t bits = slab->vacant[word];
        unsigned left = (unsigned)(end - out);

        if (bits == 0)
            continue;
        /* Less than a whole word is wanted only at the end, and usually not even there. */
        taken = left >= 64 || count == slab->free ? bits : lowest_of(bits, left);
        end = put_addresses(end, taken, first, size);
        slab->vacant[word] = bits ^ taken;
    }
    slab->free = (uint16_t)(slab->free - count);
    /*
     * The highest chunk that was taken is in the word before. All chunks below it have been handed
     * out by now.
     */
    if (word * 64 - (unsigned)__builtin_clzll(taken) > slab->fresh)
        slab->fresh = (uint16_t)(word * 64 - (unsigned)__builtin_clzll(taken));
    slab->taken = true;
    if (unlikely(slab->given))
        slab_pages_taken(slab, out, count);
    return count;
}

/* Returns the index of the n-th vacant chunk. */
static unsigned vacant_index(const struct slab *slab, unsigned n)
{
    unsigned word = 0;
    uint64_t bits;

    for (;; word++) {
        unsigned here = (unsigned)__builtin_popcountll(slab->vacant[word]);

        if (n < here)
            break;
        n -= here;
    }
    for (bits = slab->vacant[word]; n > 0; n--)
        bits &= bits - 1;
    return word * 64 + (unsigned)__builtin_ctzll(bits);
}

static unsigned random_below(unsigned limit, uint64_t *random)
{
    return (unsigned)((secret_random(random) >> 32) * limit >> 32);
}

/*
 * Returns the index of a random vacant chunk: if many are vacant, the first one that a random index
 * hits; else the n-th one, for a random n.
 */
static unsigned any_vacant(const struct slab *slab, uint64_t *random)
{
    unsigned chunks = size_classes[slab->size_class].chunks, index;

    if (slab->free < chunks / 4)
        return vacant_index(slab, random_below(slab->free, random));
    do
        index = random_below(chunks, random);
    while ((slab->vacant[index / 64] >> (index % 64) & 1) == 0);
    return index;
}

/* Brings the chunks into a random order; all orders are equally likely. */
static void shuffle(void **chunks, unsigned count, uint64_t *random)
{
    for (; count > 1; count--) {
        void **other = &chunks[random_below(count, random)], *chunk = chunks[count - 1];

        chunks[count - 1] = *other;
        *other = chunk;
    }
}

unsigned slab_take_random(struct slab *slab, void **out, unsigned most, uint64_t *random)
{
    size_t size = size_classes[slab->size_class].size;
    char *start = pointer_to(slab_start(slab));

    if (most >= slab->free) {
        unsigned count = slab_take(slab, out, most);

        shuffle(out, count, random);
        return count;
    }
    for (unsigned taken = 0; taken < most; taken++) {
        unsigned index = any_vacant(slab, random);

        slab->vacant[index / 64] &= ~(UINT64_C(1) << (index % 64));
        slab->free--;
        if (index >= slab->fresh)
            slab->fresh = (uint16_t)(index + 1);
        out[taken] = start + index * size;
    }
    slab->taken = true;
    if (unlikely(slab->given))
        slab_pages_taken(slab, out, most);
    return most;
}

void *slab_take_clean(struct slab *slab)
{
    void *chunk = NULL;

    /*
     * No chunk that was out is vacant. The counts do not tell: chunks on lost pages are not vacant,
     * even if they were never out.
     */
    if (slab->clean && slab->free > 0 && bit_next(slab->vacant, 0, slab->fresh, 0) == slab->fresh)
        slab_take(slab, &chunk, 1);
    return chunk;
}

/*
 * Returns true if the chunk is live. A chunk that was on its way from another thread counts as
 * arrived.
 */
static bool settle_state(struct slab *slab, unsigned index)
{
    uintptr_t at = slab_start(slab) + (uintptr_t)index * size_classes[slab->size_class].size;

    /* Relaxed: the arena's lock is held, and no other thread uses the chunk's state. */
    if (!slab_heap(slab)->set->small) {
        uint8_t seen = atomic_load_explicit(tiny_state(at), memory_order_relaxed);

        if (tiny_kind(seen) == STATE_REMOTE)
            tiny_turn(at, seen, STATE_REMOTE, STATE_FREE, memory_order_relaxed);
        return tiny_lives(seen);
    } else {
        uint32_t seen = atomic_load_explicit(small_state(at), memory_order_relaxed);

        if (small_kind(seen) == STATE_REMOTE)
            small_turn(at, seen, STATE_REMOTE, STATE_FREE, memory_order_relaxed);
        return small_lives(seen);
    }
}

bool slab_rebuild(struct slab *slab, struct heap *heap)
{
    /* Relaxed: there is no other thread yet. */
    uint64_t identity = atomic_load_explicit(&slab->identity, memory_order_relaxed);
    unsigned size_class = identity_class(identity);
    unsigned chunks;

    if ((identity & 1) == 0 || size_class >= SIZE_CLASSES ||
        (size_class >= TINY_CLASSES) != heap->set->small ||
        !heap_claim(heap, identity_unit(identity), size_classes[size_class].units))
        return false;
    slab->size_class = (uint8_t)size_class;
    slab->first_unit = (uint16_t)identity_unit(identity);
    chunks = size_classes[size_class].chunks;
    all_vacant(slab, chunks);
    slab->fresh = (uint16_t)chunks;
    slab->clean = false;
    for (unsigned index = 0; index < chunks; index++)
        if (settle_state(slab, index)) {
            slab->vacant[index / 64] &= ~(UINT64_C(1) << (index % 64));
            slab->free--;
        }
    slab->given = false;
    slab->taken = true;
    slab_pages_hide_lost(slab);
    slab_publish(slab, true);
    if (heap->set->small)
        heap->free_numbers[slab_number(slab) / 64] &= ~(UINT64_C(1) << (slab_number(slab) % 64));
    return true;
}
