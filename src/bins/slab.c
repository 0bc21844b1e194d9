/*
 * Slabs: cutting them out of a heap, handing out their chunks in the order of addresses, and
 * building them anew from the states after a fork.
 */
#include "bins/slab.h"

#include "base/options.h"
#include "base/secret.h"
#include "os/os.h"

#include <string.h>

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
    /* There is a number for each run of two units, and no SMALL slab is shorter. */
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

/* Makes the slab findable from the addresses of its chunks, or not any more. */
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
        /* Release: who finds the number, finds the slab complete. */
        atomic_store_explicit(small_unit_number(at) + unit,
                              there ? (uint16_t)(slab_number(slab) + 1) : 0, memory_order_release);
}

static void identity_store(struct slab *slab, bool there)
{
    uint64_t old =
        atomic_load_explicit(&slab->identity, memory_order_relaxed); /* the owner's own */
    uint64_t generation = (old >> 32) + 1;
    uint64_t what =
        there ? (uint64_t)slab->first_unit << 16 | (uint64_t)slab->size_class << 8 | 1 : 0;

    /* Release: a walker that sees a new identity sees the states as they were when it began. */
    atomic_store_explicit(&slab->identity, generation << 32 | what, memory_order_release);
}

/*
 * Those that its chunks will have: what is left of other chunks elsewhere is never live, and nobody
 * asks for it.
 */
static void forget_states(struct slab *slab)
{
    const struct size_class *shape = &size_classes[slab->size_class];
    uintptr_t start = slab_start(slab);

    for (unsigned index = 0; index < shape->chunks; index++, start += shape->size)
        small_forget(start);
}

/*
 * In units: a slab starts at a multiple of the largest power of two that divides its chunks' size,
 * and so do all its chunks. Hence each alignment up to the largest size has its chunks in SMALL.
 */
static unsigned natural_units(unsigned size_class)
{
    uint32_t size = size_classes[size_class].size, natural = size & -size;

    return natural > UNIT_SIZE ? natural / UNIT_SIZE : 1;
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
 * Stores the addresses of the chunks whose bits are set, downward from `end`; `first` is that of
 * bit 0.
 */
static inline void **put_addresses(void **end, uint64_t bits, char *first, size_t size)
{
    if (bits == ~UINT64_C(0)) {
        /* The usual case in a slab that is new or came back whole. */
        for (unsigned bit = 0; bit < 64; bit++, first += size)
            *--end = first;
        return end;
    }
    for (; bits != 0; bits &= bits - 1)
        *--end = first + (size_t)__builtin_ctzll(bits) * size;
    return end;
}

/* The lowest `count` of the set bits, or all if there are not as many. */
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
        /* Fewer than a word are wanted only at the end, and mostly not even there. */
        taken = left >= 64 || count == slab->free ? bits : lowest_of(bits, left);
        end = put_addresses(end, taken, first, size);
        slab->vacant[word] = bits ^ taken;
    }
    slab->free = (uint16_t)(slab->free - count);
    /*
     * The highest chunk that was taken lies in the word before; all below it have been out before
     * it.
     */
    if (word * 64 - (unsigned)__builtin_clzll(taken) > slab->fresh)
        slab->fresh = (uint16_t)(word * 64 - (unsigned)__builtin_clzll(taken));
    return count;
}

/* The index of the n-th vacant chunk. */
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

static unsigned below(unsigned limit, uint64_t *random)
{
    return (unsigned)((secret_random(random) >> 32) * limit >> 32);
}

/* The index of any vacant chunk: where most are, the first one that is hit; else by counting. */
static unsigned any_vacant(const struct slab *slab, uint64_t *random)
{
    unsigned chunks = size_classes[slab->size_class].chunks, index;

    if (slab->free < chunks / 4)
        return vacant_index(slab, below(slab->free, random));
    do
        index = below(chunks, random);
    while ((slab->vacant[index / 64] >> (index % 64) & 1) == 0);
    return index;
}

/* Brings them into any order, each as likely as the others. */
static void shuffle(void **chunks, unsigned count, uint64_t *random)
{
    for (; count > 1; count--) {
        void **other = &chunks[below(count, random)], *chunk = chunks[count - 1];

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
    return most;
}

void *slab_take_one(struct slab *slab, bool *clean)
{
    unsigned fresh = slab->fresh;
    void *chunk = NULL;

    slab_take(slab, &chunk, 1);
    *clean = slab->clean && slab->fresh != fresh;
    return chunk;
}

void slab_put_row(struct slab *slab, unsigned index, unsigned count)
{
    while (count > 0) {
        unsigned bit = index % 64;
        unsigned here = count < 64 - bit ? count : 64 - bit;

        slab->vacant[index / 64] |= (~UINT64_C(0) >> (64 - here)) << bit;
        index += here;
        count -= here;
    }
}

/* Where free memory is zero, what a chunk carried home for others goes. */
static void forget_parcel(struct slab *slab, uintptr_t at)
{
    if (policy_zero_and_canary())
        memset(pointer_to(at), 0, slab_parcel_bytes(size_classes[slab->size_class].size));
}

/* Whether the chunk is live; one that was on its way home from another thread has arrived. */
static bool settle_state(struct slab *slab, unsigned index)
{
    uintptr_t at = slab_start(slab) + (uintptr_t)index * size_classes[slab->size_class].size;

    /* Relaxed: the arena's lock is held, and nobody else has it. */
    if (!slab_heap(slab)->set->small) {
        uint8_t seen = atomic_load_explicit(tiny_state(at), memory_order_relaxed);

        if (tiny_kind(seen) == STATE_REMOTE) {
            tiny_turn(at, seen, STATE_REMOTE, STATE_FREE, memory_order_relaxed);
            forget_parcel(slab, at);
        }
        return tiny_lives(seen);
    } else {
        uint32_t seen = atomic_load_explicit(small_state(at), memory_order_relaxed);

        if (small_kind(seen) == STATE_REMOTE) {
            small_turn(at, seen, STATE_REMOTE, STATE_FREE, memory_order_relaxed);
            forget_parcel(slab, at);
        }
        return small_lives(seen);
    }
}

bool slab_rebuild(struct slab *slab, struct heap *heap)
{
    uint64_t identity =
        atomic_load_explicit(&slab->identity, memory_order_relaxed); /* no other thread yet */
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
    slab_publish(slab, true);
    if (heap->set->small)
        heap->free_numbers[slab_number(slab) / 64] &= ~(UINT64_C(1) << (slab_number(slab) % 64));
    return true;
}
