/*
 * Reading a LARGE chunk that its holder may free or make smaller meanwhile. Its memory goes only
 * after the holder has lowered its size, or set it to 0, and has had the registry's lock after
 * that. So what is read under the lock, within the size that is found there, is mapped.
 */
#include "large/registry.h"

#include <string.h>

bool large_peek(uintptr_t start, size_t offset, void *to, size_t size)
{
    const struct large *large;
    size_t requested;
    bool live;

    registry_lock();
    large = registry_find(start);
    /* Relaxed: the lock orders it. 0: not live; else the size + 1. */
    requested = large == NULL ? 0 : atomic_load_explicit(&large->requested, memory_order_relaxed);
    live = requested > size && offset <= requested - 1 - size;
    if (live)
        memcpy(to, (const char *)large_start(large) + offset, size);
    registry_unlock();
    return live;
}
