/*
 * One event for each call that the program makes of an allocation function while a mode wants to
 * know (base/modes.h). The public functions have it emitted, once each, by their slow halves
 * (api/watched.h); what they call to do their work emits none. event_deliver() is the one place
 * where whatever wants to know of calls is attached.
 *
 * Any thread may emit, and it holds no lock. Nothing that is attached here may call the allocator,
 * or change errno.
 */
#ifndef FT_DEBUG_EVENT_H
#define FT_DEBUG_EVENT_H

#include <stddef.h>
#include <stdint.h>

enum event_kind {
    EVENT_MALLOC,  /* malloc, operator new */
    EVENT_CALLOC,  /* calloc */
    EVENT_REALLOC, /* realloc, reallocarray */
    EVENT_ALIGNED, /* memalign and its family, operator new with an alignment */
    EVENT_FREE,    /* free, cfree, free_sized, free_aligned_sized, operator delete */
    EVENT_KINDS,
    /*
     * Before realloc() does its work with a chunk: as soon as it has moved the chunk, another
     * thread may get the old address, and emit an event with it. EVENT_REALLOC always follows.
     */
    EVENT_REALLOC_BEGINS = EVENT_KINDS
};

struct event {
    enum event_kind kind;
    void *pointer; /* what the call returns; NULL also if it fails */
    void *old;     /* what it was given: by realloc and free */
    size_t size;   /* requested; of a free: what the caller says it is, or 0 */
    /*
     * The frame of the library's function that the program called: frame[0] is the program's frame
     * pointer if it keeps one, and frame[1] is the address to which the call returns, on x86-64 and
     * AArch64 alike. In a build without optimisation a few frames of the library come first.
     */
    void *frame;
    /* clock_now(), if one of MODES_OF_TIME is on; else 0. */
    uint64_t time;
};

/*
 * Called when an allocation is complete, and before a chunk is freed: so whoever gets the address
 * next emits a later event. Fills in the time.
 */
void event_deliver(struct event *event);

#endif
