/*
 * idle: many threads allocate a burst of mixed sizes, free all of it, and then sleep; an operation
 * is one malloc and its free.
 *
 * Stresses what threads keep that no longer do anything: per-thread caches, arenas, pages that were
 * not given back. The pattern is that of servers with a large pool of threads, of which few have
 * work. Prints rss_per_thread_kib: resident memory when all sleep, less what so many threads cost
 * that allocate nothing, which a forked child finds out in the same way. The chunks of a burst are
 * a list through the chunks themselves, so there is no table to account for.
 */
#include "threads.h"

#include <sys/wait.h>

enum { SMALLEST = 16, DOUBLINGS = 8, KIB = 1024 };

struct idle {
    size_t burst_bytes;
    size_t count; /* chunks in a burst */
    uint16_t *sizes;
};

struct node {
    struct node *next;
};

/* Draws the sizes, which are the same for all threads: a power law from 16 bytes to 4 KiB. */
static void idle_draw_sizes(struct idle *idle)
{
    uint64_t seed = 42;
    idle->sizes = bench_map((idle->burst_bytes / SMALLEST + 1) * sizeof *idle->sizes);
    for (size_t bytes = 0; bytes < idle->burst_bytes;) {
        const size_t size = power_size(SMALLEST, DOUBLINGS, bench_random(&seed));
        idle->sizes[idle->count++] = (uint16_t)size;
        bytes += size;
    }
}

static void idle_burst(void *context, size_t member, size_t rounds)
{
    (void)member;
    const struct idle *idle = context;
    for (size_t round = 0; round < rounds; round++) {
        struct node *chunks = NULL;
        for (size_t i = 0; i < idle->count; i++) {
            struct node *node = bench_alloc(idle->sizes[i]);
            bench_touch(node, idle->sizes[i]);
            node->next = chunks;
            chunks = node;
        }
        while (chunks) {
            struct node *next = chunks->next;
            free(chunks);
            chunks = next;
        }
    }
}

/* Returns what threads take that allocate nothing. A child runs them, so that nothing is left. */
static long idle_baseline(struct team *team)
{
    int ends[2];
    if (pipe(ends) != 0) {
        bench_fail("no pipe", "");
    }
    long growth = 0;
    const pid_t child = fork();
    if (child == 0) {
        const long before = (long)bench_rss_bytes();
        team_start(team);
        team_run(team, 0);
        growth = (long)bench_rss_bytes() - before;
        _exit(write(ends[1], &growth, sizeof growth) == sizeof growth ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &growth, sizeof growth) != sizeof growth) {
        bench_fail("the child that runs idle threads failed", "");
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    return growth;
}

int main(int argc, char **argv)
{
    struct idle idle = {.burst_bytes = 200 * KIB};
    struct team team = {.threads = 1000, .work = idle_burst, .context = &idle};
    const struct bench_option options[] = {
        {"--threads", "threads", NULL, &team.threads},
        {"--bytes", "bytes of each thread's burst", NULL, &idle.burst_bytes},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    threads_check(team.threads);
    if (idle.burst_bytes < SMALLEST) {
        bench_fail("--bytes out of range", "");
    }
    idle_draw_sizes(&idle);
    const long baseline = idle_baseline(&team);
    const long before = (long)bench_rss_bytes();
    team_start(&team);
    const struct bench_result result =
        bench_run_once(&bench, team_run, &team, team.threads * idle.count);
    const long kept = (long)bench_rss_bytes() - before - baseline;
    const struct bench_field field = {"rss_per_thread_kib",
                                      (double)kept / KIB / (double)team.threads};
    bench_print(&bench, &result, &field, 1);
    team_stop(&team);
    return 0;
}
