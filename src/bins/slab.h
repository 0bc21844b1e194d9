/*
 * A slab: a run of units cut into equal chunks of one size class. What is known of its chunks is
 * stored here and in the heap's states, never in the chunks, so a program that writes after free()
 * finds no link to destroy. The exception is chunks that another thread freed: on the way to their
 * arena, some of them hold the addresses of others (arena/remote.c).
 *
 *   every chunk is: vacant: its bit is set in slab->vacant
 *               or: out: live, in a bin's stack, or on its way from another thread
 *   slab->free == the number of bits set in slab->vacant
 *   a chunk at or above slab->fresh was never out of this slab: if slab->clean, it is zero
 *
 * Guarded by the arena's lock, except `identity` and the states, which any thread may read at any
 * time.
 */
#ifndef FT_BINS_SLAB_H
#define FT_BINS_SLAB_H

#include "bins/state.h"

enum slab_place { SLAB_FULL, SLAB_PARTIAL, SLAB_CURRENT, SLAB_SPARE };

struct slab {
    /* The bin's ring of partial slabs. */
    struct slab *next;
    struct slab *prev;
    uint16_t free;
    uint16_t fresh;
    uint16_t first_unit;
    uint8_t size_class;
    uint8_t place : 5; /* enum slab_place */
    /*
     * True if some of its pages may be GIVEN (heap_pages.h); and if chunks were taken out of it
     * since its pages were last looked at.
     */
    bool given : 1;
    bool taken : 1;
    /* True if the memory was as the kernel gave it when the slab was made. */
    bool clean : 1;
    /*
     * Either 0 in the lower half, or first unit (16 bits), class (8) and 1; the upper half is a
     * generation (32 bits). Written with the arena's lock and release. A walker reads it before
     * and after the states; if both values are equal, what it saw in between is true of this slab.
     */
    _Atomic uint64_t identity;
    /*
     * As many words as the zone's slabs may need. They begin in the same cache line, so for most
     * classes, taking a chunk back touches no other line.
     */
    uint64_t vacant[];
};

/* The distance between slabs in a heap's header: whole cache lines. */
enum { TINY_SLAB_STRIDE = 192, SMALL_SLAB_STRIDE = 64 };

static_assert(TINY_HEADER_OFFSET + sizeof(struct heap) <=
                  TINY_SLABS_OFFSET + TINY_FIRST_UNIT * TINY_SLAB_STRIDE,
              "struct heap lies where the slabs of the header's own units would be");
static_assert(offsetof(struct slab, vacant) + TINY_SLAB_CHUNKS_MAX / 8 <= TINY_SLAB_STRIDE,
              "TINY bit maps fit");
static_assert(offsetof(struct slab, vacant) + SMALL_SLAB_CHUNKS_MAX / 8 <= SMALL_SLAB_STRIDE,
              "SMALL bit maps fit");
static_assert(TINY_WINDOWS_OFFSET + TINY_WINDOWS_SIZE <=
                      TINY_FIRST_UNIT * UNIT_SIZE / CHUNK_ALIGN &&
                  TINY_WINDOWS_SIZE >= TINY_UNITS,
              "the classes lie where the states of the header's own units would be");
static_assert(TINY_SLABS_OFFSET + TINY_UNITS * TINY_SLAB_STRIDE <= TINY_FIRST_UNIT * UNIT_SIZE,
              "TINY header");
static_assert(SMALL_NUMBERS_END - SMALL_UNITS * sizeof(uint16_t) >=
                  SMALL_HEAP_SIZE / SMALL_GRANULE * sizeof(uint32_t),
              "the numbers lie behind the states");
static_assert(SMALL_HEADER_OFFSET + sizeof(struct heap) <= SMALL_SLABS_OFFSET, "SMALL header");
static_assert(SMALL_SLABS_OFFSET + SMALL_SLABS * SMALL_SLAB_STRIDE <= SMALL_FIRST_UNIT * UNIT_SIZE,
              "SMALL header");
/* TINY: class and slab follow from the address. */

/* Returns the heap as bytes. */
static inline _Atomic uint8_t *tiny_heap(uintptr_t address)
{
    return pointer_to(address & ~(uintptr_t)(TINY_HEAP_SIZE - 1));
}

/* Added to the class of a unit: see heap.h. */
enum { TINY_CLASS_MARK = 0x80 };

static inline _Atomic uint8_t *tiny_unit_class(uintptr_t address)
{
    /*
     * The window differs from heap to heap, so that heaps do not compete for the same cache lines.
     */
    return &tiny_heap(
        address)[TINY_WINDOWS_OFFSET + (address >> UNIT_SHIFT & (TINY_WINDOWS_SIZE - 1))];
}

/* To be called only where there is a slab, for example around a live chunk. */
static inline size_t tiny_class_around(uintptr_t address)
{
    /* Relaxed: the holder of a chunk got it together with its class. */
    return (size_t)atomic_load_explicit(tiny_unit_class(address), memory_order_relaxed) -
           TINY_CLASS_MARK;
}

/* Returns the same for a live chunk: see tiny_chunk_state(). */
static inline size_t tiny_chunk_class(uintptr_t address)
{
    const _Atomic uint8_t *heap = pointer_to(heap_key(address, TINY_HEAP_SHIFT));

    /* relaxed: see tiny_class_around() */
    return (size_t)atomic_load_explicit(
               &heap[TINY_WINDOWS_OFFSET + (address >> UNIT_SHIFT & (TINY_WINDOWS_SIZE - 1))],
               memory_order_relaxed) -
           TINY_CLASS_MARK;
}

static inline struct slab *tiny_slab(uintptr_t address)
{
    uintptr_t base = address & ~(uintptr_t)(TINY_HEAP_SIZE - 1);

    return pointer_to(base + TINY_SLABS_OFFSET + (address - base) / UNIT_SIZE * TINY_SLAB_STRIDE);
}

/* SMALL: the heap's table of units leads to the slab. */

static inline _Atomic uint16_t *small_unit_number(uintptr_t address)
{
    uintptr_t base = address & ~(uintptr_t)(SMALL_HEAP_SIZE - 1);

    return (_Atomic uint16_t *)pointer_to(base + SMALL_NUMBERS_END) - 1 -
           (address - base) / UNIT_SIZE;
}

static inline struct slab *small_slab_numbered(uintptr_t base, unsigned number)
{
    return pointer_to(base + SMALL_SLABS_OFFSET + (size_t)number * SMALL_SLAB_STRIDE);
}

/* Returns NULL if there is no slab. */
static inline struct slab *small_slab(uintptr_t address)
{
    /* Acquire: whoever finds the number finds the slab complete. */
    unsigned number = atomic_load_explicit(small_unit_number(address), memory_order_acquire);

    return number == 0
               ? NULL
               : small_slab_numbered(address & ~(uintptr_t)(SMALL_HEAP_SIZE - 1), number - 1);
}

/* A slab's record is in its heap, so its address leads to the heap. The class tells the zone. */
static inline struct heap *slab_heap(const struct slab *slab)
{
    return heap_at((uintptr_t)slab, slab->size_class < TINY_CLASSES ? 0 : TAG_SMALL);
}

static inline uintptr_t slab_start(const struct slab *slab)
{
    return slab_heap(slab)->base + (uintptr_t)slab->first_unit * UNIT_SIZE;
}

/* What an identity tells. */

enum {
    IDENTITY_CLASS_SHIFT = 8,
    IDENTITY_CLASS_MASK = 0xff,
    IDENTITY_UNIT_SHIFT = 16,
    IDENTITY_UNIT_MASK = 0xffff
};

/* For the initialiser of ft_malloc_layout (debug/layout.h). */
#define SLAB_IDENTITY_BITS                                                                         \
    .slab_class_shift = IDENTITY_CLASS_SHIFT, .slab_class_mask = IDENTITY_CLASS_MASK,              \
    .slab_unit_shift = IDENTITY_UNIT_SHIFT, .slab_unit_mask = IDENTITY_UNIT_MASK

static inline unsigned identity_class(uint64_t identity)
{
    return identity >> IDENTITY_CLASS_SHIFT & IDENTITY_CLASS_MASK;
}

static inline unsigned identity_unit(uint64_t identity)
{
    return identity >> IDENTITY_UNIT_SHIFT & IDENTITY_UNIT_MASK;
}

/*
 * Returns the index of the chunk that starts `offset` bytes into a slab. If none starts there,
 * index * size is not `offset`.
 */
static inline uint32_t chunk_index(const struct size_class *shape, uint32_t offset)
{
    return (uint32_t)((uint64_t)offset * shape->inverse >> 32);
}

/*
 * Returns a new slab of the class, whose chunks are all vacant. Returns NULL if there is no memory.
 */
struct slab *slab_create(struct heap_set *heaps, unsigned size_class);

/* Returns whether slab_create() would find memory for the class that is kept (kept.h). */
bool slab_keeps(const struct heap_set *heaps, unsigned size_class);

/* Returns the slab's memory to its heap. All its chunks must be vacant. */
void slab_destroy(struct slab *slab);

/* Moves up to `most` vacant chunks to out[], the lowest address last. Returns how many. */
unsigned slab_take(struct slab *slab, void **out, unsigned most);

/* Like slab_take(), but moves random chunks; each is equally likely. */
unsigned slab_take_random(struct slab *slab, void **out, unsigned most, uint64_t *random);

/* Takes a chunk whose memory is zero. Returns NULL if the lowest vacant one is not. */
void *slab_take_clean(struct slab *slab);

/* Takes back a chunk. The caller counts it in slab->free. */
static inline void slab_put(struct slab *slab, unsigned index)
{
    slab->vacant[index / 64] |= UINT64_C(1) << (index % 64);
}

/*
 * For the repair after a fork: makes all chunks vacant that are not live. Returns false if there is
 * no slab.
 */
bool slab_rebuild(struct slab *slab, struct heap *heap);

#endif
