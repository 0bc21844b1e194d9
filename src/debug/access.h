/*
 * What libft_malloc_debug.so asks the library to report: an access through a function of the C
 * library that leaves its chunk, or that is to a chunk which was freed. The report is one of ours:
 * a line, the program's handler, and the end of the process unless FT_MALLOC_ON_ERROR=report.
 *
 * tools/debug_library includes this header, too. It is not installed.
 */
#ifndef FT_DEBUG_ACCESS_H
#define FT_DEBUG_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

struct ft_malloc_access {
    size_t size;          /* of this structure; later versions append members */
    const char *function; /* such as "memcpy()" */
    const void *pointer;
    size_t bytes;
    bool write;
    /* Called after the line was written: writes the stack of the caller to standard error. */
    void (*write_stack)(void);
};

/*
 * Reports the access if the chunk around its pointer does not allow it, and returns otherwise. The
 * caller holds no lock of the library.
 */
void ft_malloc_report_access(const struct ft_malloc_access *access)
    __attribute__((visibility("default")));

#endif
