/*
 * Shows on stdout which options of the library are in force: whether this process runs with the
 * rights of another user (AT_SECURE), how many bytes of a chunk of 5 are usable (5 if hardened),
 * and, if it survives, that a misuse is only reported.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

int main(void)
{
    void *chunk = malloc(5);
    printf("secure %lu, usable %zu\n", getauxval(AT_SECURE), malloc_usable_size(chunk));
    (void)fflush(stdout);
    free(chunk);
    free(chunk); // NOLINT: wrong on purpose
    printf("went on\n");
    return 0;
}
