/*
 * `life_limits small|fill SIZE|maps`.
 * small: prints the address space of a small program.
 * fill: allocates blocks of SIZE up to the process's limit, frees them and does it again. Prints
 * how much it got, and what the process had when it began.
 * maps: counts the mappings of 100,000 LARGE chunks.
 */
#include "support/pattern.h"
#include "support/require.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE_CHUNKS = 100000 };

struct list {
    struct list *next;
};

static size_t line_count(const char *path, const char *name, size_t *value)
{
    char line[4096];
    size_t count = 0;
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL, "cannot open %s", path);
    for (; fgets(line, sizeof line, file) != NULL; count++)
        if (name != NULL && strncmp(line, name, strlen(name)) == 0)
            *value = strtoul(line + strlen(name), NULL, 10);
    (void)fclose(file);
    return count;
}

static int show_small(void)
{
    size_t kib = 0;
    void *chunk = malloc(100);
    void *larger = malloc(100000);
    void *largest = malloc(1000000);
    REQUIRE(chunk != NULL && larger != NULL && largest != NULL, "no memory");
    line_count("/proc/self/status", "VmPeak:", &kib);
    printf("%zu KiB\n", kib);
    free(chunk);
    free(larger);
    free(largest);
    return 0;
}

/*
 * Returns the number of blocks that fitted. At the limit malloc must return NULL with ENOMEM, again
 * and again.
 */
static size_t fill(size_t size)
{
    struct list *blocks = NULL;
    size_t count = 0;
    struct list *block = NULL;
    while ((block = malloc(size)) != NULL) {
        pattern_write(block, 0, size, count++);
        block->next = blocks;
        blocks = block;
    }
    for (unsigned n = 0; n < 3; n++) {
        errno = 0;
        REQUIRE(malloc(size) == NULL && errno == ENOMEM, "the limit does not last");
    }
    errno = 0;
    REQUIRE(calloc(1, (size_t)1 << 40) == NULL && errno == ENOMEM,
            "calloc finds what malloc does not");
    for (size_t n = count; n > 0; n--) {
        block = blocks;
        blocks = block->next;
        pattern_write(block, 0, sizeof(struct list), n - 1);
        REQUIRE(pattern_mismatch(block, size, n - 1) == size, "block %zu was changed", n - 1);
        free(block);
    }
    return count;
}

static int fill_twice(size_t size)
{
    size_t kib = 0, first, second, third;
    line_count("/proc/self/status", "VmSize:", &kib);
    first = fill(size);
    second = fill(size);
    third = fill(size * 2);
    printf("%zu %zu %zu of %zu KiB\n", first * size, second * size, third * size * 2, kib);
    return 0;
}

static int count_maps(void)
{
    static void *chunks[LARGE_CHUNKS];
    for (size_t n = 0; n < LARGE_CHUNKS; n++) {
        chunks[n] = malloc((size_t)300 * 1024);
        REQUIRE(chunks[n] != NULL, "no memory for chunk %zu", n);
    }
    printf("%zu maps\n", line_count("/proc/self/maps", NULL, NULL));
    for (size_t n = 0; n < LARGE_CHUNKS; n++)
        free(chunks[n]);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "small") == 0)
        return show_small();
    if (argc == 3 && strcmp(argv[1], "fill") == 0)
        return fill_twice(strtoul(argv[2], NULL, 10));
    REQUIRE(argc == 2 && strcmp(argv[1], "maps") == 0, "usage: life_limits small|fill SIZE|maps");
    return count_maps();
}
