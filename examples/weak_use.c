/*
 * Runs with and without the library. The program is not linked with it: it declares the functions
 * that it would like to call weak, so their addresses are NULL unless the library was preloaded.
 */
#include <ft_malloc.h>
#include <stdio.h>
#include <stdlib.h>

#pragma weak ft_malloc_version
#pragma weak ft_malloc_find

int main(void)
{
    struct ft_malloc_chunk chunk;
    void *text = malloc(100);

    if (ft_malloc_version == NULL || ft_malloc_find == NULL)
        printf("ft_malloc is absent\n");
    else if (ft_malloc_find(text, &chunk, sizeof chunk) == FT_MALLOC_LIVE)
        printf("ft_malloc is present, and has allocated %zu bytes\n", chunk.requested);
    else
        printf("ft_malloc is present, but another allocator serves malloc\n");
    free(text);
    return EXIT_SUCCESS;
}
