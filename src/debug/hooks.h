/*
 * What a second library may do for this one. It registers once, when it is loaded, and stays.
 * Without it, everything below is done without help or not at all.
 */
#ifndef FT_DEBUG_HOOKS_H
#define FT_DEBUG_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEBUG_HOOKS_VERSION = 1 };

struct ft_malloc_debug_hooks {
    unsigned version; /* DEBUG_HOOKS_VERSION */
    unsigned unused;
    size_t size; /* of this structure: later versions only append */

    /*
     * Stores the return addresses of the callers of `frame`, innermost first, and returns how many
     * there are. The first is the one that `frame` itself returns to. *complete says whether the
     * outermost is the thread's first function. `frame` is the frame address of a function of the
     * calling thread that has not returned.
     *
     * The caller holds no lock. It is not called again by the same thread before it has returned,
     * whatever it allocates.
     */
    unsigned (*unwind)(void *frame, uintptr_t *pcs, unsigned most, bool *complete);

    /*
     * Adds sections to a snapshot (debug/snapshot.h): calls `section` with `context` for each.
     * `flags` are those of ft_malloc_dump(). Memory is written from where it is, so it needs no
     * payload.
     */
    void (*dump)(unsigned flags,
                 void (*section)(void *context, uint32_t type, uint64_t address,
                                 const void *payload, size_t length),
                 void *context);

    /*
     * Writes where code is, such as "(/usr/bin/program+0x11f7)", and returns how many bytes that
     * are, 0 if it is not known. Takes no lock.
     */
    size_t (*describe)(uintptr_t pc, char *text, size_t size);

    /* Called when a report is made of a chunk of which the library knows where it comes from. */
    void (*reported)(uintptr_t chunk);
};

/*
 * Registers the hooks, which stay where they are for ever; unused ones are NULL. Returns 0, or -1
 * if the version or the size is not known here. Any thread, once.
 */
__attribute__((visibility("default"))) int
ft_malloc_debug_register(const struct ft_malloc_debug_hooks *hooks);

/* Returns what was registered, or NULL. */
const struct ft_malloc_debug_hooks *debug_hooks(void);

#endif
