/*
 * A chunk of a heap stays readable under the structure lock, which keeps the heap mapped. The other
 * kinds are copied under the lock that whoever frees them takes before the memory goes.
 */
#include "debug/peek.h"

#include "arena/lookup.h"
#include "base/structure_lock.h"
#include "bins/guard_pool.h"
#include "large/large.h"
#include "os/os.h"

#include <string.h>

static bool peek_in_heap(uintptr_t start, size_t offset, void *to, size_t size)
{
    struct chunk chunk;
    bool live;

    structure_lock_read();
    live = lookup_in_heaps(start, &chunk) == CHUNK_LIVE && chunk.requested >= size &&
           offset <= chunk.requested - size;
    if (live)
        memcpy(to, (const char *)pointer_to(start) + offset, size);
    structure_unlock();
    return live;
}

bool peek(uintptr_t start, size_t offset, void *to, size_t size)
{
    return peek_in_heap(start, offset, to, size) || large_peek(start, offset, to, size) ||
           guard_pool_peek(start, offset, to, size);
}
