/*
 * life_pages MODE: allocates no chunk, keeps 1,024 chunks of 1,024 bytes, each written to, or frees
 * each at once. Prints how many page faults the process had, and how much of its memory belongs to
 * no file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { COUNT = 1024, SIZE = 1024 };

/* In KiB; 0 if the kernel does not tell. */
static long anonymous(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kib = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Anonymous: %ld", &kib) == 1)
            break;
    return kib;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "none";
    struct rusage usage;

    for (int n = 0; n < COUNT && strcmp(mode, "none") != 0; n++) {
        volatile char *chunk = malloc(SIZE);

        if (chunk == NULL)
            return 1;
        chunk[0] = 42;
        if (strcmp(mode, "freed") == 0)
            free((void *)chunk);
    }
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 1;
    printf("%ld faults\n%ld KiB\n", usage.ru_minflt, anonymous());
    return 0;
}
