/*
 * churn: short threads. Each allocates a few hundred chunks, frees most of them and ends; the
 * parent frees the rest, and creates the next thread. An operation is a thread's life.
 *
 * Stresses what an allocator does when a thread begins and ends: caches that are made and flushed,
 * arenas that are given back while chunks of them live, and frees of chunks whose thread is gone.
 * With --touch pages and chunks of up to some ten KiB, each thread writes to a megabyte or more of
 * pages. That shows whether the allocator keeps the pages of a thread that ended for the next one,
 * or takes fresh ones from the kernel for each.
 * With --threads N, N of them are alive at a time; the parent joins the oldest first. That they are
 * created is part of the figure, most of it under any allocator if the chunks are small. The
 * pattern is that of Gloger's t-test1 for ptmalloc, whose threads end and are replaced; what they
 * leave behind comes on top.
 */
#include "threads.h"

enum touch { TOUCH_ENDS, TOUCH_PAGES };

static const char *const touch_names[] = {"ends", "pages", NULL};

/* Belongs to the thread while it runs, and to the parent before and after that. */
struct child {
    alignas(LINE_PAIR) pthread_t thread;
    const struct churn *churn;
    void **chunks;
    uint64_t seed;
};

struct churn {
    size_t threads;
    size_t chunks_per_thread;
    size_t smallest;
    size_t largest;
    size_t touch;
    size_t once; /* not 0: so many rounds are measured, once */
    size_t left; /* the parent frees one chunk of so many, or none if it is 0 */
    struct child *children;
};

static void *child_new_chunk(struct child *child)
{
    const struct churn *churn = child->churn;
    const size_t sizes = churn->largest - churn->smallest + 1;
    const size_t size = churn->smallest + bench_scale((uint32_t)bench_random(&child->seed), sizes);
    void *chunk = bench_alloc(size);
    if (churn->touch == TOUCH_PAGES) {
        bench_touch_pages(chunk, 0, size);
    } else {
        bench_touch(chunk, size);
    }
    return chunk;
}

static bool is_left_to_parent(const struct churn *churn, size_t index)
{
    return churn->left != 0 && index % churn->left == 0;
}

static void *child_live(void *argument)
{
    struct child *child = argument;
    const struct churn *churn = child->churn;
    for (size_t i = 0; i < churn->chunks_per_thread; i++) {
        child->chunks[i] = child_new_chunk(child);
    }
    for (size_t i = 0; i < churn->chunks_per_thread; i++) {
        if (!is_left_to_parent(churn, i)) {
            free(child->chunks[i]);
        }
    }
    return NULL;
}

static void child_start(struct child *child)
{
    child->thread = thread_start(child_live, child, PTHREAD_CREATE_JOINABLE);
}

static void child_end(struct child *child)
{
    const struct churn *churn = child->churn;
    pthread_join(child->thread, NULL);
    for (size_t i = 0; churn->left != 0 && i < churn->chunks_per_thread; i += churn->left) {
        free(child->chunks[i]);
    }
}

/* A round runs one thread in each place. */
static void churn_run(void *context, size_t rounds)
{
    const struct churn *churn = context;
    for (size_t i = 0; i < churn->threads; i++) {
        child_start(&churn->children[i]);
    }
    for (size_t round = 1; round < rounds; round++) {
        for (size_t i = 0; i < churn->threads; i++) {
            child_end(&churn->children[i]);
            child_start(&churn->children[i]);
        }
    }
    for (size_t i = 0; i < churn->threads; i++) {
        child_end(&churn->children[i]);
    }
}

static void churn_run_together(void *context, size_t rounds)
{
    const struct churn *churn = context;
    churn_run(context, rounds * churn->once);
}

/*
 * Memory that goes back now and then slows down some repetitions and not others. The quickest of
 * them would hide that, so with --once all rounds count.
 */
static void churn_measure(const struct bench *bench, struct churn *churn)
{
    if (churn->once == 0) {
        bench_measure(bench, churn_run, churn, churn->threads);
        return;
    }
    const struct bench_result result =
        bench_run_once(bench, churn_run_together, churn, churn->threads * churn->once);
    bench_print(bench, &result, NULL, 0);
}

static void churn_check(const struct churn *churn)
{
    threads_check(churn->threads);
    if (churn->chunks_per_thread == 0) {
        bench_fail("--chunks must not be 0", "");
    }
    if (churn->smallest == 0 || churn->largest < churn->smallest) {
        bench_fail("--min or --max out of range", "");
    }
}

int main(int argc, char **argv)
{
    struct churn churn = {
        .threads = 2,
        .chunks_per_thread = 300,
        .smallest = 16,
        .largest = 527,
        .left = 3,
    };
    const struct bench_option options[] = {
        {"--threads", "threads that are alive at a time, beside the parent", NULL, &churn.threads},
        {"--chunks", "chunks that each allocates", NULL, &churn.chunks_per_thread},
        {"--min", "smallest size", NULL, &churn.smallest},
        {"--max", "largest size", NULL, &churn.largest},
        {"--touch", "what is written: ends or pages", touch_names, &churn.touch},
        {"--once", "measure so many rounds, once; 0: the quickest repetition", NULL, &churn.once},
        {"--left", "the parent frees one chunk of so many; 0: none", NULL, &churn.left},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    churn_check(&churn);
    churn.children = bench_map(churn.threads * sizeof *churn.children);
    for (size_t i = 0; i < churn.threads; i++) {
        struct child *child = &churn.children[i];
        child->churn = &churn;
        child->chunks = bench_map(churn.chunks_per_thread * sizeof *child->chunks);
        child->seed = i + 1;
    }
    churn_measure(&bench, &churn);
    return 0;
}
