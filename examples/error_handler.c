/*
 * Hears of wrong frees by ft_malloc_on_error(). A server could write them to its own log. Run it
 * with FT_MALLOC_ON_ERROR=report: by default the library ends the process after the handler.
 */
#include <ft_malloc.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned double_frees, others;

static void count_error(const struct ft_malloc_error *error)
{
    /* A handler may call printf() only if error->may_allocate is not 0. This one just counts. */
    if (error->kind == FT_MALLOC_DOUBLE_FREE)
        double_frees++;
    else
        others++;
}

int main(void)
{
    char *volatile chunk = malloc(42); /* volatile: the compiler must not warn of the errors */

    ft_malloc_on_error(count_error);
    free(chunk + 1); /* NOLINT(clang-analyzer-unix.Malloc): wrong on purpose */
    free(chunk);
    free(chunk); /* NOLINT(clang-analyzer-unix.Malloc): wrong on purpose */
    ft_malloc_on_error(NULL);
    printf("double frees: %u, other errors: %u\n", double_frees, others);
    return EXIT_SUCCESS;
}
