/*
 * Sums the live chunks of each zone with ft_malloc_visit(). A program can do the same before and
 * after a piece of work to see what the work has left allocated.
 */
#include <ft_malloc.h>
#include <stdio.h>
#include <stdlib.h>

struct sums {
    size_t chunks[FT_MALLOC_ZONES];
    size_t bytes[FT_MALLOC_ZONES];
};

static int add_chunk(const struct ft_malloc_chunk *chunk, void *context)
{
    struct sums *sums = context;

    sums->chunks[chunk->zone]++;
    sums->bytes[chunk->zone] += chunk->requested;
    return 0; /* Any other value would end the visit. */
}

static struct sums sum_chunks(void)
{
    struct sums sums = {{0}, {0}};

    if (ft_malloc_visit(add_chunk, &sums) != 0) {
        perror("ft_malloc_visit");
        exit(EXIT_FAILURE);
    }
    return sums;
}

int main(void)
{
    static const char *const names[FT_MALLOC_ZONES] = {"TINY", "SMALL", "LARGE"};
    static const size_t sizes[] = {10, 20, 30, 5000, 6000, 1000000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    void *volatile chunks[COUNT]; /* volatile: or the compiler removes the allocations */
    const struct sums before = sum_chunks();

    for (int i = 0; i < COUNT; i++)
        chunks[i] = malloc(sizes[i]);
    free(chunks[1]);
    chunks[1] = NULL;

    const struct sums after = sum_chunks();

    for (int i = 0; i < COUNT; i++)
        free(chunks[i]);
    for (int zone = 0; zone < FT_MALLOC_ZONES; zone++)
        printf("%s: %zu more chunks, %zu more bytes\n", names[zone],
               after.chunks[zone] - before.chunks[zone], after.bytes[zone] - before.bytes[zone]);
    return EXIT_SUCCESS;
}
