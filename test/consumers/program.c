/* A program of somebody who has installed the library: shows a chunk, and prints the version. */
#include <ft_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    void *volatile chunk = malloc(42);

    show_alloc_mem();
    free(chunk);
    printf("ft_malloc %s\n", ft_malloc_version());
    return strcmp(ft_malloc_version(), FT_MALLOC_VERSION) == 0 ? 0 : 1;
}
