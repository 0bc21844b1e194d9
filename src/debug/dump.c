/*
 * What a snapshot has. Other threads go on while it is written. No lock is held while anything is
 * written, so a slow reader stops nobody: a heap is pinned and its header copied, as is each block
 * of LARGE descriptors; what is never unmapped is written as it is.
 */
#include "debug/dump.h"

#include "ft_malloc.h"

#include "arena/cache.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/structure_lock.h"
#include "bins/empty.h"
#include "bins/guard_pool.h"
#include "bins/heap_copy.h"
#include "bins/heap_walk.h"
#include "debug/dump_roots.h"
#include "debug/dump_write.h"
#include "debug/history.h"
#include "debug/hooks.h"
#include "debug/layout.h"
#include "large/registry.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct writer {
    struct dump dump;
    bool contents;
    char *buffer; /* has room for a heap's header, and for a block of descriptors */
    size_t buffer_size;
};

/* The arenas that there are, newest first. Acquire: each arena is complete. */
static struct arena *first_arena(void)
{
    return atomic_load_explicit(&arena_list, memory_order_acquire);
}

static struct cache *first_cache(struct arena *arena)
{
    return atomic_load_explicit(&arena->caches, memory_order_acquire); /* see struct arena */
}

/* The stacks behind a cache are left out: the states and the slabs tell which chunks are there. */
static void put_arena(struct writer *writer, struct arena *arena)
{
    dump_known(&writer->dump, (uintptr_t)arena, arena, sizeof *arena);
    for (struct cache *cache = first_cache(arena); cache != NULL; cache = cache->next)
        dump_known(&writer->dump, (uintptr_t)cache, cache, sizeof *cache);
}

/* Writes the chunks of a slab, up to the last live one. */
static void put_chunks(struct writer *writer, const struct heap *heap, uint64_t identity)
{
    const struct size_class *shape = &size_classes[identity_class(identity)];
    uintptr_t start = heap->base + (uintptr_t)identity_unit(identity) * UNIT_SIZE;
    unsigned end = 0;

    for (unsigned index = 0; index < shape->chunks; index++) {
        uintptr_t at = start + (uintptr_t)index * shape->size;
        /* Relaxed: which chunks are worth writing, and no more. */
        bool live = heap->set->small
                        ? small_lives(atomic_load_explicit(small_state(at), memory_order_relaxed))
                        : tiny_lives(atomic_load_explicit(tiny_state(at), memory_order_relaxed));

        end = live ? index + 1 : end;
    }
    dump_live(&writer->dump, start, (size_t)end * shape->size);
}

static void put_heap(struct writer *writer, struct heap *heap)
{
    unsigned unit = heap_first_unit(heap);
    uint64_t identity;

    heap_copy_header(heap, writer->buffer);
    dump_known(&writer->dump, heap->base, writer->buffer, heap_header_size(heap->set->small));
    while (writer->contents && heap_next_slab(heap, &unit, &identity) != NULL)
        put_chunks(writer, heap, identity);
}

static void put_heaps(struct writer *writer, struct heap_set *set)
{
    for (struct heap *heap = heap_walk(set, NULL); heap != NULL; heap = heap_walk(set, heap))
        put_heap(writer, heap);
}

/* Writes the root of the heap map and its leaves, which are never unmapped. */
static void put_heap_map(struct writer *writer)
{
    dump_known(&writer->dump, (uintptr_t)&first_memory.map, &first_memory.map,
               sizeof first_memory.map);
    for (unsigned i = 0; i < MAP_ROOT_SIZE; i++) {
        /* Acquire: the leaf is complete. */
        intptr_t distance = atomic_load_explicit(&first_memory.map.root[i], memory_order_acquire);
        uintptr_t leaf = (uintptr_t)first_memory.map.empty + (uintptr_t)distance;

        if (distance != 0)
            dump_known(&writer->dump, leaf, pointer_to(leaf), sizeof first_memory.map.empty);
    }
}

static void put_regions(struct writer *writer)
{
    /* Acquire: see empty_regions. */
    struct empty_region *region = atomic_load_explicit(&empty_regions, memory_order_acquire);

    for (; region != NULL; region = region->next) {
        size_t bits = region->places / 8;

        dump_known(&writer->dump, (uintptr_t)region, region, sizeof *region + 2 * bits);
    }
}

/* Copies under the registry's lock, which takes a few microseconds, and writes without. */
static void put_descriptors(struct writer *writer, const void *memory, size_t size)
{
    registry_lock();
    memcpy(writer->buffer, memory, size);
    registry_unlock();
    dump_known(&writer->dump, (uintptr_t)memory, writer->buffer, size);
}

static struct large_block *first_block(void)
{
    struct large_block *block;

    registry_lock();
    block = large_registry.blocks;
    registry_unlock();
    return block;
}

/* New blocks are put in front, so the rest of the list is constant. */
static void put_large(struct writer *writer)
{
    put_descriptors(writer, &large_registry, sizeof large_registry);
    put_descriptors(writer, large_registry_gone, sizeof large_registry_gone);
    put_descriptors(writer, large_registry_first, sizeof large_registry_first);
    for (struct large_block *block = first_block(); block != NULL; block = block->next)
        put_descriptors(writer, block, REGISTRY_BLOCK_SIZE);
}

static void put_large_contents(void *context, const struct large_info *info)
{
    struct writer *writer = context;

    if (info->live)
        dump_live(&writer->dump, info->start, info->requested);
}

static void put_guarded_contents(void *context, const struct chunk *chunk)
{
    struct writer *writer = context;

    dump_live(&writer->dump, chunk->start, chunk->requested);
}

static struct history_ring *first_ring(void)
{
    return atomic_load_explicit(&history.rings, memory_order_acquire); /* see struct history */
}

/* A thread that goes on would leave an entry half old and half new in what write() takes of it. */
static void put_ring(struct writer *writer, const struct history_ring *ring)
{
    /* Acquire: see struct history_ring. */
    uint64_t format = atomic_load_explicit(&ring->format, memory_order_acquire);
    size_t stride = (HISTORY_FRAMES + (size_t)(format & HISTORY_DEPTH_MASK)) * sizeof(uint64_t);
    size_t count;

    memcpy(writer->buffer, ring, sizeof *ring);
    memcpy(writer->buffer + offsetof(struct history_ring, format), &format, sizeof format);
    dump_known(&writer->dump, (uintptr_t)ring, writer->buffer, sizeof *ring);
    for (size_t n = 0;
         (count = history_copy(ring, format, n, writer->buffer, writer->buffer_size)) > 0;
         n += count)
        dump_known(&writer->dump, (uintptr_t)ring->words + n * stride, writer->buffer,
                   count * stride);
}

static void put_rings(struct writer *writer)
{
    for (const struct history_ring *ring = first_ring(); ring != NULL; ring = ring->next)
        put_ring(writer, ring);
}

/* Returns true if the memory at the address has been written, or is left out. */
static bool is_known(uintptr_t start, size_t size)
{
    for (const struct history_ring *ring = first_ring(); ring != NULL; ring = ring->next)
        if ((uintptr_t)ring - start < size)
            return true;
    for (struct arena *arena = first_arena(); arena != NULL; arena = arena->next)
        for (struct cache *cache = first_cache(arena); cache != NULL; cache = cache->next)
            if ((uintptr_t)cache - start < size)
                return true;
    for (struct large_block *block = first_block(); block != NULL; block = block->next)
        if ((uintptr_t)block - start < size)
            return true;
    return false;
}

static bool is_inner(struct own_range *range)
{
    return atomic_load_explicit(&range->inner, memory_order_relaxed) != 0; /* see base/own.h */
}

/* Writes what else the library has mapped for itself: the tables of the modes above all. */
static void put_own(struct writer *writer)
{
    struct own_ranges *piece = &own_first;

    /* Acquire, here and below: see base/own.h. */
    for (; piece != NULL; piece = atomic_load_explicit(&piece->next, memory_order_acquire)) {
        dump_known(&writer->dump, (uintptr_t)piece, piece, sizeof *piece);
        dump_known(&writer->dump, (uintptr_t)piece->of, piece->of,
                   piece->room * sizeof piece->of[0]);
        for (unsigned i = 0; i < piece->room; i++) {
            size_t size = atomic_load_explicit(&piece->of[i].size, memory_order_acquire);
            uintptr_t start = atomic_load_explicit(&piece->of[i].start, memory_order_relaxed);

            if (size != 0 && !is_inner(&piece->of[i]) && !is_known(start, size))
                dump_live(&writer->dump, start, size);
        }
    }
}

static void put_hook_section(void *context, uint32_t type, uint64_t address, const void *payload,
                             size_t length)
{
    struct writer *writer = context;

    if (type == SNAPSHOT_MEMORY)
        dump_live(&writer->dump, address, length);
    else
        dump_section(&writer->dump, type, address, payload, length);
}

/* What the second library adds: mappings, threads and the like. */
static void put_hooks(struct writer *writer, unsigned flags)
{
    const struct ft_malloc_debug_hooks *hooks = debug_hooks();

    if (hooks != NULL &&
        hooks->size >= offsetof(struct ft_malloc_debug_hooks, dump) + sizeof hooks->dump &&
        hooks->dump != NULL)
        hooks->dump(flags, put_hook_section, writer);
}

static void put_all(struct writer *writer, unsigned flags)
{
    dump_roots(&writer->dump);
    for (struct arena *arena = first_arena(); arena != NULL; arena = arena->next) {
        put_arena(writer, arena);
        put_heaps(writer, &arena->tiny);
        put_heaps(writer, &arena->small);
    }
    put_large(writer);
    put_regions(writer);
    put_heap_map(writer);
    put_rings(writer);
    put_own(writer);
    if (writer->contents) {
        large_walk(put_large_contents, writer);
        guard_pool_walk(put_guarded_contents, writer);
    }
    put_hooks(writer, flags);
}

int dump_write(int fd, unsigned flags)
{
    const struct snapshot_header header = {
        .magic = SNAPSHOT_MAGIC,
        .byte_order = SNAPSHOT_BYTE_ORDER,
        .version = SNAPSHOT_VERSION,
        .word_size = sizeof(void *),
        .size = sizeof header,
        .layout = (uintptr_t)&ft_malloc_layout,
        .flags = (flags & FT_MALLOC_DUMP_CONTENTS) != 0 ? SNAPSHOT_CONTENTS : 0,
        .page_size = (uint32_t)os_page_size(),
        .clock = clock_now(),
    };
    struct writer writer = {.contents = (flags & FT_MALLOC_DUMP_CONTENTS) != 0};
    size_t size = heap_header_size(true);
    int saved_errno = errno, error;

    if ((flags & ~(unsigned)FT_MALLOC_DUMP_CONTENTS) != 0)
        return EINVAL;
    if (fd < 0)
        return EBADF;
    writer.buffer_size = round_up(size, os_page_size());
    /* Its own, because copies of descriptors look like pointers to chunks. */
    writer.buffer = own_map(writer.buffer_size);
    if (writer.buffer == NULL)
        return ENOMEM;
    dump_begin(&writer.dump, fd, &header);
    put_all(&writer, flags);
    error = dump_end(&writer.dump);
    own_unmap(writer.buffer, writer.buffer_size);
    errno = saved_errno;
    return error;
}

void dump_at_exit(void)
{
    /* A child of a fork would write into the middle of what its parent writes. */
    if (options.dump != 0 && options.dump_at_exit && structure_lock_renewals() == 0)
        (void)dump_write((int)options.dump - 1, 0);
}

static_assert(SMALL_FIRST_UNIT * UNIT_SIZE >= REGISTRY_BLOCK_SIZE &&
                  (int)SMALL_FIRST_UNIT >= (int)TINY_FIRST_UNIT &&
                  sizeof(struct large_registry) <= SMALL_FIRST_UNIT * UNIT_SIZE,
              "the buffer has room for each");
