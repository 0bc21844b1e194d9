/*
 * fault_fill start                        prints what the process has at its start: address space, data, in bytes
 * fault_fill as|data LIMIT COMMAND...     executes itself with COMMAND under that limit of address space or data
 * fault_fill fill SIZE OTHER              allocates chunks of SIZE until there is no memory; frees them; again; then
 *                                         chunks of OTHER. Prints how many bytes were requested each time
 */
#include "faults/status.h"
#include "support/pattern.h"
#include "support/require.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A chunk begins with the address of the one before; the rest is the pattern of its number. */
struct chunk {
    struct chunk *before;
};

static int show_start(void)
{
    size_t address_space = status_kib("VmSize:"), data = status_kib("VmData:");
    printf("%zu %zu\n", address_space * 1024, data * 1024);
    return 0;
}

static int limit_and_execute(char **arguments)
{
    rlim_t most = strtoul(arguments[2], NULL, 10);
    int resource = strcmp(arguments[1], "as") == 0 ? RLIMIT_AS : RLIMIT_DATA;
    REQUIRE(setrlimit(resource, &(struct rlimit){most, most}) == 0, "setrlimit failed");
    arguments[2] = arguments[0];
    execv(arguments[0], arguments + 2);
    return 127;
}

static struct chunk *add(struct chunk *before, size_t size, size_t number)
{
    struct chunk *chunk = malloc(size);
    if (chunk == NULL)
        return NULL;
    pattern_write(chunk, sizeof *chunk, size, number);
    chunk->before = before;
    return chunk;
}

static void check(struct chunk *chunk, size_t size, size_t number)
{
    struct chunk *before = chunk->before;
    pattern_write(chunk, 0, sizeof *chunk, number);
    REQUIRE(pattern_mismatch(chunk, size, number) == size, "chunk %zu of %zu bytes was changed", number,
            size);
    chunk->before = before;
}

/* NULL and ENOMEM from every function, again and again, and what was there stays. */
static void require_none_left(struct chunk *last, size_t size, size_t number)
{
    void *untouched = last;
    for (unsigned n = 0; n < 3; n++) {
        errno = 0;
        REQUIRE(malloc(size) == NULL && errno == ENOMEM, "the limit does not last");
        errno = 0;
        REQUIRE(calloc(1, (size_t)4 << 30) == NULL && errno == ENOMEM, "calloc finds what malloc does not");
        errno = 0;
        REQUIRE(realloc(last, (size_t)4 << 30) == NULL && errno == ENOMEM,
                "realloc finds what malloc does not");
        REQUIRE(posix_memalign(&untouched, 4096, (size_t)4 << 30) == ENOMEM && untouched == last,
                "posix_memalign");
    }
    check(last, size, number);
}

/* Returns the number of bytes that were to be had in chunks of this size. All of it is free in the end. */
static size_t fill(size_t size)
{
    struct chunk *last = NULL, *next = NULL;
    size_t count = 0;
    errno = 0;
    while ((next = add(last, size, count)) != NULL) {
        last = next;
        count++;
    }
    REQUIRE(errno == ENOMEM, "errno is %d", errno);
    REQUIRE(count > 2, "no memory at all");
    require_none_left(last, size, count - 1);
    next = last->before;
    free(last);
    last = add(next, size, count - 1);
    REQUIRE(last != NULL, "what was freed cannot be had again");
    for (size_t n = count; n-- > 0; last = next) {
        check(last, size, n);
        next = last->before;
        free(last);
    }
    return count * size;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "start") == 0)
        return show_start();
    if (argc > 3 && strcmp(argv[1], "fill") != 0)
        return limit_and_execute(argv);
    REQUIRE(argc == 4, "usage: see the source");
    size_t size = strtoul(argv[2], NULL, 10);
    size_t first = fill(size);
    size_t again = fill(size);
    printf("%zu %zu %zu\n", first, again, fill(strtoul(argv[3], NULL, 10)));
    return 0;
}
