/*
 * The arena's only cache is a common one: it is used with the arena's lock.
 */
#include "arena/apart.h"

#include "arena/fork.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "base/options.h"
#include "bins/heap_map.h"

/* Written once, with release; read with acquire, so that the arena is complete. */
static _Atomic(struct arena *) apart;

static struct arena *arena_apart(void)
{
    return atomic_load_explicit(&apart, memory_order_acquire);
}

bool apart_begin(void)
{
    struct arena *arena = arena_apart();

    if (arena != NULL || options.harden)
        return true;
    arena = arena_create_apart();
    if (arena == NULL)
        return false;
    cache_first(arena)->common = true;
    atomic_store_explicit(&apart, arena, memory_order_release);
    return true;
}

/*
 * Returns the class that serves the request, or SIZE_CLASSES if none does: one whose size is a
 * multiple of the alignment, and whose states can express what is left over.
 */
static unsigned class_for(size_t align, size_t size)
{
    unsigned size_class;

    if (size > SMALL_MAX || align > SMALL_SLACK_MAX)
        return SIZE_CLASSES;
    if (align <= CHUNK_ALIGN)
        return size_class_of(size);
    size_class = any_class(round_up(size + (size == 0), align));
    return size_class < TINY_CLASSES && size_classes[size_class].size - size > TINY_SLACK_MAX
               ? (unsigned)TINY_CLASSES
               : size_class;
}

void *apart_alloc(size_t align, size_t requested)
{
    unsigned size_class = class_for(align, requested);
    struct arena *arena = arena_apart();
    struct cache *cache;
    void *chunk;

    if (arena == NULL || size_class >= SIZE_CLASSES)
        return NULL;
    cache = cache_first(arena);
    arena_lock(arena);
    cache_use(cache);
    arena_stir(arena);
    if (unlikely(arena_is_damaged(arena)))
        arena_repair_step(arena);
    chunk = cache_alloc_aligned(cache, size_class, requested);
    cache_leave(cache);
    return chunk;
}

void apart_free(const struct chunk *chunk)
{
    remote_free(NULL, chunk);
}

bool apart_has(uintptr_t address)
{
    struct arena *arena = arena_apart();

    return arena != NULL && (heap_map_tag(address) & ~TAG_SMALL) == arena->tiny_tag;
}
