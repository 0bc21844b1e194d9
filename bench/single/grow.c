/*
 * grow: vectors that grow by realloc() until they are large, and are freed; an operation is one
 * realloc.
 *
 * Stresses realloc. It shows whether there is room after the chunk, whether it must be copied, and
 * whether the pages of a large one are moved instead (mremap). The pattern is that of dynamic
 * arrays, string builders and read buffers; --percent is their policy, from 10 to doubling. Several
 * vectors grow in turn, so that none has free room after it for long. The program writes a byte of
 * each page of the new part, as programs do that grow a vector to fill it.
 */
#include "common.h"

#include <stdbool.h>

enum { LEAST_STEP = 8, MARK = 42 };

static const char *const answers[] = {"no", "yes", NULL};

struct grow {
    size_t vectors;
    size_t first;
    size_t last;
    size_t percent;
    size_t repeat;
    unsigned char **chunks;
};

static size_t grow_next(const struct grow *grow, size_t size)
{
    const size_t step = size / 100 * grow->percent + size % 100 * grow->percent / 100;
    const size_t next = size + (step < LEAST_STEP ? LEAST_STEP : step);
    return next < grow->last ? next : grow->last;
}

/* Grows a vector from old_size bytes, which is 0 for a new one, to size. */
static void grow_vector(unsigned char **vector, size_t old_size, size_t size)
{
    unsigned char *chunk = realloc(*vector, size);
    if (!chunk) {
        bench_fail("out of memory", "");
    }
    if (old_size == 0) {
        chunk[0] = MARK;
        old_size = 1;
    } else if (chunk[0] != MARK) {
        bench_fail("realloc lost the content", "");
    }
    bench_touch_pages(chunk, old_size, size);
    *vector = chunk;
}

static void grow_run(void *context, size_t rounds)
{
    const struct grow *grow = context;
    for (size_t round = 0; round < rounds; round++) {
        size_t old_size = 0;
        for (size_t size = grow->first; size != old_size; size = grow_next(grow, size)) {
            for (size_t i = 0; i < grow->vectors; i++) {
                grow_vector(&grow->chunks[i], old_size, size);
            }
            old_size = size;
        }
        for (size_t i = 0; i < grow->vectors; i++) {
            free(grow->chunks[i]);
            grow->chunks[i] = NULL;
        }
    }
}

static size_t grow_steps(const struct grow *grow)
{
    size_t steps = 1;
    for (size_t size = grow->first; size != grow->last; size = grow_next(grow, size)) {
        steps++;
    }
    return steps;
}

int main(int argc, char **argv)
{
    struct grow grow = {.vectors = 1, .first = 16, .last = 1 << 20, .percent = 100, .repeat = true};
    const struct bench_option options[] = {
        {"--vectors", "vectors that grow in turn", NULL, &grow.vectors},
        {"--first", "bytes of a vector at first", NULL, &grow.first},
        {"--last", "bytes at last", NULL, &grow.last},
        {"--percent", "what a realloc adds", NULL, &grow.percent},
        {"--repeat", "no: one growth, in a fresh process, is the measurement", answers,
         &grow.repeat},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (grow.vectors == 0 || grow.first < 2 || grow.last <= grow.first) {
        bench_fail("--vectors, --first or --last out of range", "");
    }
    grow.chunks = bench_map(grow.vectors * sizeof *grow.chunks);
    const size_t operations = grow.vectors * grow_steps(&grow);
    const struct bench_result result =
        (grow.repeat ? bench_run : bench_run_once)(&bench, grow_run, &grow, operations);
    bench_print(&bench, &result, NULL, 0);
    return 0;
}
