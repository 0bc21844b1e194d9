/*
 * What ft_malloc.h declares: the public names of what src/debug knows.
 */
#include "ft_malloc.h"

#include "debug/show.h"

#include <errno.h>
#include <unistd.h>

/* Errors of write() are ignored. */
void show_alloc_mem(void)
{
    show_listing(STDOUT_FILENO, "show_alloc_mem()");
}

/* Sets errno and returns -1 if there is an error. */
static int result_of(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

int ft_malloc_show(int fd)
{
    return result_of(show_listing(fd, "ft_malloc_show()"));
}
