/*
 * start: starts a small program and waits for its end, over and over; an operation is one process.
 *
 * Stresses what an allocator does before main(), at the first requests and at exit. In a shell
 * script or a build that is all it does. The pattern is that of a shell's loop. This program is the
 * shell: it allocates nothing while it measures, and starts `start_child`, from the same folder,
 * with vfork (posix_spawn). LD_PRELOAD is inherited, so the child runs on the allocator under test.
 * Peak memory is that of the child; child_faults are its page faults.
 */
#include "common.h"

#include <limits.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { NUMBER_BYTES = 24 };

struct start {
    char path[PATH_MAX];
    char chunks[NUMBER_BYTES]; /* the child's argument */
    size_t processes;
    size_t faults;
    size_t peak_rss_kib;
};

static void start_find_child(struct start *start)
{
    static const char child[] = "start_child";
    const ssize_t length =
        readlink("/proc/self/exe", start->path, sizeof start->path - sizeof child);
    start->path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(start->path, '/');
    if (!slash) {
        bench_fail("this program does not find its own path", "");
    }
    memcpy(slash + 1, child, sizeof child);
}

static void start_run(void *context, size_t rounds)
{
    struct start *start = context;
    char *const arguments[] = {start->path, start->chunks, NULL};
    for (size_t i = 0; i < rounds; i++) {
        pid_t child = 0;
        int status = 0;
        struct rusage usage;
        if (posix_spawn(&child, start->path, NULL, NULL, arguments, environ) != 0) {
            bench_fail("cannot start ", start->path);
        }
        if (wait4(child, &status, 0, &usage) != child || status != 0) {
            bench_fail("no success: ", start->path);
        }
        start->processes++;
        start->faults += (size_t)usage.ru_minflt;
        start->peak_rss_kib = (size_t)usage.ru_maxrss;
    }
}

int main(int argc, char **argv)
{
    static struct start start;
    size_t chunks = 0;
    const struct bench_option options[] = {
        {"--chunks", "small chunks that the child allocates", NULL, &chunks},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    start_find_child(&start);
    snprintf(start.chunks, sizeof start.chunks, "%zu", chunks);
    struct bench_result result = bench_run(&bench, start_run, &start, 1);
    result.peak_rss_kib = start.peak_rss_kib;
    const struct bench_field field = {"child_faults",
                                      (double)start.faults / (double)start.processes};
    bench_print(&bench, &result, &field, 1);
    return 0;
}
