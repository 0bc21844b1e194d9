/*
 * Reads the figures of the process with ft_malloc_stats() before and after 1,000 allocations, and
 * after half of them were freed.
 */
#include <ft_malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 1000, SIZE = 42 };

static struct ft_malloc_stats read_stats(void)
{
    struct ft_malloc_stats stats;

    /* An older library may not know the last members of the structure, and clears them. */
    if (ft_malloc_stats(&stats, sizeof stats) < sizeof stats)
        fprintf(stderr, "the library is older than its header\n");
    return stats;
}

static void print_growth(const char *when, const struct ft_malloc_stats *from,
                         const struct ft_malloc_stats *to)
{
    printf("%s: %zu chunks, %zu bytes requested, %s for rounding\n", when,
           to->chunks[FT_MALLOC_TINY] - from->chunks[FT_MALLOC_TINY],
           to->requested[FT_MALLOC_TINY] - from->requested[FT_MALLOC_TINY],
           to->usable[FT_MALLOC_TINY] > to->requested[FT_MALLOC_TINY] ? "some more" : "none");
}

int main(void)
{
    static void *chunks[COUNT];
    const struct ft_malloc_stats start = read_stats();

    for (int i = 0; i < COUNT; i++)
        chunks[i] = malloc(SIZE);

    const struct ft_malloc_stats full = read_stats();

    for (int i = 0; i < COUNT; i += 2)
        free(chunks[i]);

    const struct ft_malloc_stats half = read_stats();

    for (int i = 1; i < COUNT; i += 2)
        free(chunks[i]);
    print_growth("allocated", &start, &full);
    print_growth("half freed", &start, &half);
    printf("arenas: %zu\n", half.arenas);
    return EXIT_SUCCESS;
}
