/*
 * FT_MALLOC_HARDEN=1, at the level of the API: every call takes the slow path, and comes here. What
 * it adds: canaries, zero on free, a quarantine and random order (arena/hardened.h), random places
 * for heaps (bins/space.c), and for LARGE chunks guard pages and an unmapping at once
 * (large/large.c).
 */
#ifndef FT_API_HARDEN_H
#define FT_API_HARDEN_H

#include "api/api.h"
#include "arena/hardened.h"

/*
 * The usual cases, without the slow path: NULL, false where it is needed, and when the process is
 * not hardened.
 */
static inline void *harden_alloc_quick(size_t size)
{
    struct arena *arena = thread_hardened_arena();

    return arena == NULL ? NULL : hardened_alloc_quick(arena, size);
}

/* With `sized`, only what is of that size. */
static inline __attribute__((always_inline)) bool harden_free_quick(void *pointer, bool sized,
                                                                    size_t size)
{
    struct arena *arena = thread_hardened_arena();

    return arena != NULL && likely(hardened_free_quick(arena, (uintptr_t)pointer, sized, size));
}

/* `align`: a power of two. Sets *clean if the memory is zero; NULL: no memory. */
void *harden_alloc(size_t size, size_t align, bool *clean);

/* For a LARGE chunk that moves because it grows: where it can go on to grow. */
void *harden_alloc_growing(size_t size);

/* For a live chunk that was found. */
void harden_free(const struct chunk *chunk, const char *function);

/* False: the chunk has to move. */
bool harden_resize(const struct chunk *chunk, size_t size);

#endif
