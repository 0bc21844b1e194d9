/*
 * What libft_malloc_debug.so asks the library to say when a signal shows that the program touched
 * memory that it may not: is there a chunk that the address has to do with?
 *
 * tools/debug_library includes this header, too. It is not installed.
 */
#ifndef FT_DEBUG_FAULT_H
#define FT_DEBUG_FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum ft_malloc_fault_access {
    FT_MALLOC_FAULT_READ,
    FT_MALLOC_FAULT_WRITE,
    FT_MALLOC_FAULT_UNKNOWN
};

struct ft_malloc_fault {
    size_t size;        /* of this structure; later versions append members */
    const char *signal; /* such as "SIGSEGV" */
    const void *address;
    enum ft_malloc_fault_access access;
    /* Called after the line was written: writes the stack of the fault to standard error. */
    void (*write_stack)(void *context);
    void *context;
};

/*
 * Writes a report, and returns true, if the address is in or beside a chunk, live or freed. Returns
 * false, and writes nothing, if the fault has nothing to do with chunks. The process goes on.
 *
 * May be called in the handler of a signal that the fault caused. The code that faulted must not
 * have been the library's own.
 */
bool ft_malloc_report_fault(const struct ft_malloc_fault *fault)
    __attribute__((visibility("default")));

#endif
