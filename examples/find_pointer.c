/*
 * Asks ft_malloc_find() about four addresses: of a live chunk, inside of it, of a freed chunk, and
 * of a variable that the library did not allocate.
 */
#include <ft_malloc.h>
#include <stdio.h>
#include <stdlib.h>

static void explain(const char *what, const void *address)
{
    struct ft_malloc_chunk chunk;

    switch (ft_malloc_find(address, &chunk, sizeof chunk)) {
    case FT_MALLOC_LIVE:
        printf("%s: a live chunk of %zu bytes\n", what, chunk.requested);
        break;
    case FT_MALLOC_INTERIOR:
        printf("%s: byte %td of a live chunk of %zu bytes\n", what,
               (const char *)address - (const char *)chunk.pointer, chunk.requested);
        break;
    case FT_MALLOC_FREED:
        printf("%s: a chunk that was freed\n", what);
        break;
    case FT_MALLOC_NONE:
        printf("%s: not from this library\n", what);
        break;
    }
}

int main(void)
{
    int local = 0;
    char *live = malloc(42);
    char *freed = malloc(3000);
    char *volatile address = freed; /* volatile: the compiler must not warn of its use below */

    free(freed);
    explain("live", live);
    explain("interior", live + 7);
    explain("freed", address); /* NOLINT(clang-analyzer-unix.Malloc): nothing is read there */
    explain("foreign", &local);
    free(live);
    return EXIT_SUCCESS;
}
