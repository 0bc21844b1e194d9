/*
 * Keeps the last calls of each thread, and prints them with the live chunks and their bytes. Here
 * the program switches the history on; FT_MALLOC_HISTORY=100 in the environment does the same.
 */
#include <ft_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *greeting;

    if (ft_malloc_set("FT_MALLOC_HISTORY", "100,1") != 0) {
        perror("ft_malloc_set");
        return EXIT_FAILURE;
    }
    greeting = malloc(16);
    if (greeting == NULL)
        return EXIT_FAILURE;
    // NOLINTNEXTLINE: the chunk has room
    strcpy(greeting, "Hello, history!");
    free(malloc(1000));
    show_alloc_mem_ex(FT_MALLOC_SHOW_BYTES);
    free(greeting);
    return EXIT_SUCCESS;
}
