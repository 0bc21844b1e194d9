/*
 * A library whose constructor gives the process an environment of its own, at the end of a page
 * with nothing mapped behind it, and then allocates.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((constructor)) static void replace_environment(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char **made = (char **)(void *)(memory + page) - 2;
    void *volatile chunk;

    if (memory == MAP_FAILED || munmap(memory + page, page) != 0)
        abort();
    made[0] = (char *)"PATH=/bin";
    made[1] = NULL;
    environ = made;
    chunk = malloc(10);
    free(chunk);
}
