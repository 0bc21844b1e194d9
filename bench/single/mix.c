/*
 * mix: sizes by a power law and three lifetimes side by side; an operation is one malloc and its
 * free.
 *
 * Stresses what programs really ask for: mostly small chunks, now and then a large one, and
 * neighbours in memory that die at different times. Of the chunks three quarters live for a few
 * operations, a fifth until their phase ends, the rest until the run does; a round is one such run,
 * at whose end all is freed. The pattern follows the studies of allocation traces: sizes are skewed
 * and lifetimes fall into classes (Zorn and Grunwald, "Empirical Measurements of Six
 * Allocation-Intensive C Programs", 1992; Wilson et al., "Dynamic Storage Allocation", 1995). A
 * chunk twice as large is 1/sqrt(2) times as frequent.
 */
#include "common.h"

enum {
    SMALLEST = 8,
    LARGEST = 64 * 1024,
    DRAWS = 4096, /* sizes are drawn from a table, which costs less than the power law itself */
    SHORT_LIVED = 16,
    PHASE = 4096,
    PHASES = 16,
    PARTS_SHORT = 15, /* of 20 chunks, how many live shortly, and how many for their phase */
    PARTS_PHASE = 4,
    PARTS = 20,
};

struct mix {
    uint32_t sizes[DRAWS];
    uint64_t seed;
    void *recent[SHORT_LIVED];
    void *phase[PHASE];
    void *kept[PHASE * PHASES];
    size_t phase_count;
    size_t kept_count;
};

/*
 * Fills the table with the inverse of the power law at evenly spread u: the share u of all sizes is
 * below size(u). size(u) is SMALLEST / (1 - u * c)^2, and c makes size(1) equal to LARGEST.
 */
static void mix_fill_sizes(struct mix *mix)
{
    const double root = 1.0 / 90.5096679918781; /* of SMALLEST / LARGEST */
    for (size_t i = 0; i < DRAWS; i++) {
        const double u = ((double)i + 0.5) / DRAWS;
        const double share = 1.0 - u * (1.0 - root);
        mix->sizes[i] = (uint32_t)(SMALLEST / (share * share));
    }
}

static void mix_free_all(void **chunks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(chunks[i]);
    }
}

static void mix_allocate(struct mix *mix, size_t step)
{
    const uint64_t draw = bench_random(&mix->seed);
    const size_t size = mix->sizes[draw % DRAWS];
    const size_t part = bench_scale((uint32_t)(draw >> 32), PARTS);
    void *chunk = bench_alloc(size);
    bench_touch(chunk, size);
    if (part < PARTS_SHORT) {
        void **slot = &mix->recent[step % SHORT_LIVED];
        free(*slot);
        *slot = chunk;
    } else if (part < PARTS_SHORT + PARTS_PHASE) {
        mix->phase[mix->phase_count++] = chunk;
    } else {
        mix->kept[mix->kept_count++] = chunk;
    }
}

static void mix_run(void *context, size_t rounds)
{
    struct mix *mix = context;
    for (size_t round = 0; round < rounds; round++) {
        for (size_t phase = 0; phase < PHASES; phase++) {
            for (size_t step = 0; step < PHASE; step++) {
                mix_allocate(mix, step);
            }
            mix_free_all(mix->phase, mix->phase_count);
            mix->phase_count = 0;
        }
        mix_free_all(mix->recent, SHORT_LIVED);
        memset(mix->recent, 0, sizeof mix->recent);
        mix_free_all(mix->kept, mix->kept_count);
        mix->kept_count = 0;
    }
}

int main(int argc, char **argv)
{
    static struct mix mix = {.seed = 42};
    const struct bench bench = bench_parse(argc, argv, NULL, 0);
    mix_fill_sizes(&mix);
    bench_measure(&bench, mix_run, &mix, PHASE * PHASES);
    return 0;
}
