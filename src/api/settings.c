/*
 * What ft_malloc.h declares to set options and to read them and the figures of calls.
 */
#include "base/text.h"
#include "debug/mode_switch.h"
#include "debug/stats.h"
#include "ft_malloc.h"

#include <errno.h>
#include <string.h>

static int fail(int error)
{
    errno = error;
    return -1;
}

int ft_malloc_set(const char *name, const char *value)
{
    struct text why = {.fd = -1};
    int saved_errno = errno;
    int error = mode_set(name, value, &why);

    errno = saved_errno;
    return error == 0 ? 0 : fail(error);
}

int ft_malloc_get(const char *name, char *buffer, size_t size)
{
    struct text value = {.fd = -1};
    int error = mode_get(name, &value);
    size_t copied;

    if (error != 0)
        return fail(error);
    if (size > 0) {
        copied = value.length < size ? value.length : size - 1;
        memcpy(buffer, value.buffer, copied);
        buffer[copied] = '\0';
    }
    return (int)value.length;
}

int ft_malloc_stats_json(int fd)
{
    int error = stats_json(fd);

    return error == 0 ? 0 : fail(error);
}
