/*
 * Reads the whole file at once, into the stack.
 */
#include "faults/status.h"

#include "support/require.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t kib_in(const char *path, const char *name)
{
    char status[8192];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, status, sizeof status - 1);
    REQUIRE(length > 0, "no %s", path);
    close(file);
    status[length] = '\0';
    const char *line = strstr(status, name);
    REQUIRE(line != NULL, "no %s in %s", name, path);
    return strtoul(line + strlen(name), NULL, 10);
}

size_t status_kib(const char *name)
{
    return kib_in("/proc/self/status", name);
}

size_t status_machine_kib(const char *name)
{
    return kib_in("/proc/meminfo", name);
}
