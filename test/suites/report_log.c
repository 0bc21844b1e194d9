/*
 * Preloaded by ./ft suites: writes each report of the library to the file that FT_SUITES_REPORTS
 * names. Many suites read or discard what their programs write to standard error, and expect
 * programs that fail, so a report there, and the end of the process, can go unseen.
 */
#include "ft_malloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *path;

/* It may run in a signal handler, and in any state of the allocator. */
static void log_report(const struct ft_malloc_error *error)
{
    struct iovec parts[] = {{(void *)(size_t)error->message, strlen(error->message)},
                            {(void *)(size_t) ", in ", 5},
                            {program_invocation_short_name, strlen(program_invocation_short_name)},
                            {(void *)(size_t) "\n", 1}};
    int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (file < 0)
        return;
    (void)!writev(file, parts, sizeof parts / sizeof parts[0]);
    (void)close(file);
}

__attribute__((constructor)) static void begin(void)
{
    path = getenv("FT_SUITES_REPORTS");
    if (path != NULL)
        (void)ft_malloc_on_error(log_report);
}
