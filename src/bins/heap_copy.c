/*
 * The copy is made like any walk: identities, states, and then the identities again.
 */
#include "bins/heap_copy.h"

#include "bins/heap_walk.h"

#include <string.h>

/*
 * Copies words that other threads may be writing. All of a header's parts are multiples of a word.
 * Acquire: what is read afterwards is not older.
 */
static void copy_words(char *out, const char *in, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        const _Atomic uint64_t *word = (const void *)(in + at);
        uint64_t value = atomic_load_explicit(word, memory_order_acquire);

        memcpy(out + at, &value, sizeof value);
    }
}

/* The range of the slabs' records in the header. */
static size_t records_from(const struct heap *heap)
{
    return heap->set->small ? SMALL_SLABS_OFFSET
                            : TINY_SLABS_OFFSET + TINY_FIRST_UNIT * TINY_SLAB_STRIDE;
}

static size_t records_to(const struct heap *heap)
{
    return heap->set->small ? SMALL_SLABS_OFFSET + SMALL_SLABS * SMALL_SLAB_STRIDE
                            : TINY_SLABS_OFFSET + TINY_UNITS * TINY_SLAB_STRIDE;
}

static size_t record_stride(const struct heap *heap)
{
    return heap->set->small ? SMALL_SLAB_STRIDE : TINY_SLAB_STRIDE;
}

static struct slab *record_at(const struct heap *heap, size_t offset)
{
    return pointer_to(heap->base + offset);
}

static _Atomic uint64_t *identity_in(void *out, size_t offset)
{
    return &((struct slab *)(void *)((char *)out + offset))->identity;
}

/* Copies the records, each identity first. */
static void copy_records(const struct heap *heap, char *out)
{
    size_t stride = record_stride(heap);

    for (size_t at = records_from(heap); at < records_to(heap); at += stride) {
        /* Acquire: what is copied afterwards is not older. */
        uint64_t identity =
            atomic_load_explicit(&record_at(heap, at)->identity, memory_order_acquire);

        copy_words(out + at, (const char *)record_at(heap, at), stride);
        /* Relaxed, here and below: nobody else knows the copy. */
        atomic_store_explicit(identity_in(out, at), identity, memory_order_relaxed);
    }
}

static void keep_same(const struct heap *heap, void *out)
{
    for (size_t at = records_from(heap); at < records_to(heap); at += record_stride(heap)) {
        /* Relaxed: the acquire of the states orders it. */
        uint64_t now = atomic_load_explicit(&record_at(heap, at)->identity, memory_order_relaxed);

        if (now != atomic_load_explicit(identity_in(out, at), memory_order_relaxed))
            atomic_store_explicit(identity_in(out, at), 0, memory_order_relaxed);
    }
}

/* The bytes of states of the units that have states: see heap_steps.h. */
static size_t states_size(const struct heap *heap)
{
    size_t per_unit =
        heap->set->small ? UNIT_SIZE / SMALL_GRANULE * sizeof(uint32_t) : UNIT_SIZE / CHUNK_ALIGN;
    unsigned units = heap->state_units < heap_units(heap) ? heap->state_units : heap_units(heap);

    return units * per_unit;
}

void heap_copy_header(const struct heap *heap, char *out)
{
    const char *header = pointer_to(heap->base);
    bool small = heap->set->small;
    size_t states =
        (small ? SMALL_FIRST_UNIT : TINY_FIRST_UNIT) *
        (small ? UNIT_SIZE / SMALL_GRANULE * sizeof(uint32_t) : UNIT_SIZE / CHUNK_ALIGN);
    size_t heap_at = small ? SMALL_HEADER_OFFSET : TINY_HEADER_OFFSET;

    memset(out, 0, heap_header_size(small));
    copy_records(heap, out);
    copy_words(out + heap_at, header + heap_at, round_up(sizeof *heap, sizeof(uint64_t)));
    if (small) {
        size_t numbers = SMALL_UNITS * sizeof(uint16_t);

        copy_words(out + SMALL_NUMBERS_END - numbers, header + SMALL_NUMBERS_END - numbers,
                   numbers);
    } else {
        copy_words(out + TINY_WINDOWS_OFFSET, header + TINY_WINDOWS_OFFSET, TINY_WINDOWS_SIZE);
    }
    if (states_size(heap) > states)
        copy_words(out + states, header + states, states_size(heap) - states);
    keep_same(heap, out);
}
