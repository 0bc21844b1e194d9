/*
 * `fault_mappings COUNT`: allocates that many LARGE chunks and frees every second one, which takes
 * more mappings than the kernel grants a process. Requests that fail return NULL with ENOMEM, live
 * chunks stay intact, and in the end all memory is given back.
 */
#include "faults/status.h"
#include "support/pattern.h"
#include "support/require.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Only every so many chunks are written to, or the test would need memory instead of address space.
 */
enum { SIZE = 300000, COUNT_MOST = 2000000, WRITTEN = 32, HEAD = 64, MORE = 100, RESIZED = 100 };

struct count {
    size_t had;
    size_t refused;
};

static void *chunks[COUNT_MOST];

static bool is_written(size_t n)
{
    return n / 2 % WRITTEN == 0;
}

static void write_chunk(size_t n)
{
    if (!is_written(n))
        return;
    pattern_write(chunks[n], 0, HEAD, n);
    pattern_write((char *)chunks[n] + SIZE - HEAD, 0, HEAD, n + 1);
}

static void check(size_t n)
{
    if (!is_written(n) || chunks[n] == NULL)
        return;
    REQUIRE(pattern_mismatch(chunks[n], HEAD, n) == HEAD, "chunk %zu was changed", n);
    REQUIRE(pattern_mismatch((char *)chunks[n] + SIZE - HEAD, HEAD, n + 1) == HEAD,
            "chunk %zu was changed", n);
}

static size_t obtain_all(size_t count)
{
    for (size_t n = 0; n < count; n++) {
        errno = 0;
        chunks[n] = malloc(SIZE);
        REQUIRE(chunks[n] != NULL || errno == ENOMEM, "errno is %d", errno);
        if (chunks[n] == NULL)
            return n;
        write_chunk(n);
    }
    return count;
}

/* Works on every `step`-th chunk, from `first` on. */
static void free_some(size_t first, size_t count, size_t step)
{
    for (size_t n = first; n < count; n += step) {
        check(n);
        errno = 12345;
        free(chunks[n]);
        REQUIRE(errno == 12345, "free changed errno");
        chunks[n] = NULL;
    }
}

static void check_all(size_t count)
{
    for (size_t n = 0; n < count; n++)
        check(n);
}

/* Allocates chunks of a size, holds them together and frees them. */
static struct count obtain_more(size_t size)
{
    static void *more[MORE];
    struct count count = {0};
    for (size_t n = 0; n < MORE; n++) {
        errno = 0;
        more[n] = malloc(size);
        REQUIRE(more[n] != NULL || errno == ENOMEM, "errno is %d", errno);
        if (more[n] == NULL) {
            count.refused++;
            continue;
        }
        count.had++;
        pattern_write(more[n], 0, HEAD, n);
        pattern_write((char *)more[n] + size - HEAD, 0, HEAD, n + 1);
    }
    for (size_t n = 0; n < MORE; n++) {
        if (more[n] == NULL)
            continue;
        REQUIRE(pattern_mismatch(more[n], HEAD, n) == HEAD, "a chunk of %zu bytes was changed",
                size);
        REQUIRE(pattern_mismatch((char *)more[n] + size - HEAD, HEAD, n + 1) == HEAD,
                "a chunk of %zu bytes was changed", size);
        free(more[n]);
    }
    return count;
}

static struct count obtain_more_of_all_sizes(void)
{
    static const size_t sizes[] = {2 * HEAD, 5000, 200000, SIZE, 5000000};
    struct count sum = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct count count = obtain_more(sizes[i]);
        sum.had += count.had;
        sum.refused += count.refused;
    }
    return sum;
}

/* Grows the chunk, and shrinks it to its former size. */
static struct count resize_some(size_t count)
{
    struct count done = {0};
    for (size_t n = 0; n < count; n += count / RESIZED / 2 * 2) {
        if (chunks[n] == NULL)
            continue;
        errno = 0;
        void *longer = realloc(chunks[n], (size_t)2 * SIZE);
        REQUIRE(longer != NULL || errno == ENOMEM, "errno is %d", errno);
        if (longer != NULL)
            chunks[n] = longer;
        done.had += longer != NULL;
        done.refused += longer == NULL;
        check(n);
        longer = realloc(chunks[n], SIZE);
        REQUIRE(longer != NULL, "a chunk cannot shrink");
        chunks[n] = longer;
        check(n);
    }
    return done;
}

int main(int argc, char **argv)
{
    size_t wanted = argc >= 2 ? strtoul(argv[1], NULL, 10) : 0;
    REQUIRE(wanted > 0 && wanted <= COUNT_MOST, "usage: fault_mappings COUNT");
    size_t before = status_kib("VmSize:");
    size_t count = obtain_all(wanted);
    size_t peak = status_kib("VmSize:");
    free_some(1, count, 2);
    check_all(count);
    struct count more = obtain_more_of_all_sizes();
    struct count resized = resize_some(count);
    check_all(count);
    free_some(0, count, 1);
    (void)malloc_trim(0);
    struct count after = obtain_more_of_all_sizes();
    REQUIRE(after.refused == 0, "%zu chunks cannot be had though all is free", after.refused);
    (void)malloc_trim(0);
    printf("%zu chunks; with every second one free %zu more and %zu refused, %zu resized and %zu "
           "refused; "
           "KiB %zu, %zu, %zu\n",
           count, more.had, more.refused, resized.had, resized.refused, before, peak,
           status_kib("VmSize:"));
    REQUIRE(status_kib("VmSize:") < before + (peak - before) / 10, "the memory does not go back");
    return 0;
}
