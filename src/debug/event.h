/*
 * One event for each call that the program makes of an allocation function. The public functions
 * emit it, once each; what they call to do their work emits none. This is the one place where
 * whatever wants to know of calls is attached: today the counters of FT_MALLOC_STATS.
 *
 * While events are wanted the fast paths are off (options_every_call_slow()), so a fast path never
 * asks. Any thread may emit. Nothing here allocates, takes a lock or changes errno.
 */
#ifndef FT_DEBUG_EVENT_H
#define FT_DEBUG_EVENT_H

#include "base/options.h"
#include "os/os.h"

#include <stddef.h>

enum event_kind {
    EVENT_MALLOC,  /* malloc, operator new */
    EVENT_CALLOC,  /* calloc */
    EVENT_REALLOC, /* realloc, reallocarray */
    EVENT_ALIGNED, /* memalign and its family, operator new with an alignment */
    EVENT_FREE,    /* free, cfree, free_sized, free_aligned_sized, operator delete */
    EVENT_KINDS
};

struct event {
    enum event_kind kind;
    void *pointer; /* what the call returns; NULL also if it fails */
    void *old;     /* what it was given: by realloc and free */
    size_t size;   /* requested; of a free: what the caller says it is, or 0 */
};

void event_deliver(const struct event *event);

/*
 * Called when an allocation is complete, and before a chunk is freed: so whoever gets the address
 * next emits a later event.
 */
static inline void event_emit(enum event_kind kind, void *pointer, void *old, size_t size)
{
    if (unlikely(options.stats)) {
        const struct event event = {kind, pointer, old, size};

        event_deliver(&event);
    }
}

#endif
