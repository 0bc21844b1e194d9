/*
 * start_child: allocates as many small chunks as its argument says, 0 if there is none, and ends.
 *
 * This is the process that `start` starts. It frees nothing, as short programs do.
 */
#include <stdlib.h>

enum { SMALLEST = 16, STEP = 16, SIZES = 8 };

/* The chunks form a list, so that they are in use until the end. */
struct chunk {
    struct chunk *previous;
};

static struct chunk *newest;

int main(int argc, char **argv)
{
    const unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    for (unsigned long i = 0; i < count; i++) {
        struct chunk *chunk = malloc(SMALLEST + i % SIZES * STEP);
        if (!chunk) {
            return 1;
        }
        chunk->previous = newest;
        newest = chunk;
    }
    return 0;
}
