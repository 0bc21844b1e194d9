/*
 * What every benchmark program shares: options, clock, random numbers, measuring, the result line.
 *
 * A program describes its work as a body that runs a number of rounds; a round holds a fixed number of
 * operations. bench_measure() warms up, finds how many rounds fill a repetition, keeps the quickest of
 * several repetitions and prints `name ns_per_op peak_rss_kib`. Nothing in here allocates before the
 * measurement is over, so the allocator under test sees the program's own requests only. For programs in
 * bench/ only; each is one translation unit.
 */
#ifndef FT_MALLOC_BENCH_COMMON_H
#define FT_MALLOC_BENCH_COMMON_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BENCH_STATUS_BYTES = 8192 };

/* An option takes a number or, if it has choices (a list that ends with NULL), one of their names: its index.
 */
struct bench_option {
    const char *flag;
    const char *help;
    const char *const *choices;
    size_t *value;
};

struct bench {
    const char *name;
    size_t reps;
    size_t rep_ms;
    size_t rounds; /* not 0: exactly so many rounds, once, for instruction counting */
};

typedef void bench_body(void *context, size_t rounds);

static inline _Noreturn void bench_fail(const char *what, const char *detail)
{
    fprintf(stderr, "bench: %s%s\n", what, detail);
    exit(2);
}

static inline uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* xorshift64*: a few cycles, and both halves of the result are good enough to be used on their own. */
static inline uint64_t bench_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1du;
}

/* Maps 32 random bits to 0 .. bound - 1 without a division. */
static inline size_t bench_scale(uint32_t bits, size_t bound)
{
    return (size_t)(((uint64_t)bits * bound) >> 32);
}

static inline void *bench_alloc(size_t size)
{
    void *chunk = malloc(size);
    if (!chunk) {
        bench_fail("out of memory", "");
    }
    return chunk;
}

/* A program uses what it allocates: first and last byte. */
static inline void bench_touch(void *chunk, size_t size)
{
    unsigned char *bytes = chunk;
    bytes[0] = 1;
    bytes[size - 1] = 2;
}

static inline size_t bench_number(const char *text, const char *flag)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || *text == '-') {
        bench_fail("not a number: ", flag);
    }
    return (size_t)value;
}

static inline void bench_set(const struct bench_option *option, const char *text)
{
    if (!option->choices) {
        *option->value = bench_number(text, option->flag);
        return;
    }
    for (size_t i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            *option->value = i;
            return;
        }
    }
    bench_fail("unknown choice: ", text);
}

static inline const struct bench_option *bench_find(const struct bench_option *options, size_t count,
                                                    const char *flag)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].flag, flag) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static inline _Noreturn void bench_usage(const char *program, const struct bench_option *options,
                                         size_t count)
{
    printf("usage: %s [--name NAME] [OPTION VALUE]...\n", program);
    for (size_t i = 0; i < count; i++) {
        printf("  %-10s %s\n", options[i].flag, options[i].help);
    }
    exit(0);
}

/* Reads the options of the program and those that all programs have. */
static inline struct bench bench_parse(int argc, char **argv, const struct bench_option *own,
                                       size_t own_count)
{
    struct bench bench = {.name = argv[0], .reps = 5, .rep_ms = 60, .rounds = 0};
    const struct bench_option common[] = {
        {"--reps", "repetitions, of which the quickest counts", NULL, &bench.reps},
        {"--ms", "milliseconds a repetition", NULL, &bench.rep_ms},
        {"--rounds", "run so many rounds once, unmeasured", NULL, &bench.rounds},
    };
    const size_t common_count = sizeof common / sizeof *common;

    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            bench_usage(argv[0], own, own_count);
        }
        if (i + 1 == argc) {
            bench_fail("a value is missing after ", argv[i]);
        }
        const struct bench_option *option = bench_find(own, own_count, argv[i]);
        if (!option) {
            option = bench_find(common, common_count, argv[i]);
        }
        if (option) {
            bench_set(option, argv[i + 1]);
        } else if (strcmp(argv[i], "--name") == 0) {
            bench.name = argv[i + 1];
        } else {
            bench_fail("unknown option ", argv[i]);
        }
    }
    return bench;
}

/* From VmHWM and not getrusage(): ru_maxrss survives execve(), so it would show the runner's size for small
 * programs. */
static inline size_t bench_peak_rss_kib(void)
{
    static char status[BENCH_STATUS_BYTES];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, status, sizeof status - 1);
    if (file >= 0) {
        close(file);
    }
    status[length > 0 ? length : 0] = '\0';
    const char *line = strstr(status, "VmHWM:");
    return line ? (size_t)strtoull(line + strlen("VmHWM:"), NULL, 10) : 0;
}

static inline uint64_t bench_time(bench_body *body, void *context, size_t rounds)
{
    uint64_t start = bench_now_ns();
    body(context, rounds);
    return bench_now_ns() - start;
}

/* Doubles the rounds until they take a sixth of a repetition: this is the warm-up too. */
static inline size_t bench_rounds_per_rep(const struct bench *bench, bench_body *body, void *context)
{
    const uint64_t rep_ns = (uint64_t)bench->rep_ms * 1000000u;
    size_t rounds = 1;
    uint64_t elapsed = bench_time(body, context, rounds);
    while (elapsed < rep_ns / 6) {
        rounds *= 2;
        elapsed = bench_time(body, context, rounds);
    }
    size_t fitting = (size_t)((double)rounds * (double)rep_ns / (double)(elapsed ? elapsed : 1));
    return fitting ? fitting : 1;
}

static inline void bench_measure(const struct bench *bench, bench_body *body, void *context,
                                 size_t ops_per_round)
{
    if (bench->rounds) {
        body(context, bench->rounds);
        return;
    }
    const size_t rounds = bench_rounds_per_rep(bench, body, context);
    uint64_t best = UINT64_MAX;
    for (size_t rep = 0; rep < bench->reps; rep++) {
        uint64_t elapsed = bench_time(body, context, rounds);
        best = elapsed < best ? elapsed : best;
    }
    const size_t peak = bench_peak_rss_kib();
    printf("%s %.3f %zu\n", bench->name, (double)best / (double)rounds / (double)ops_per_round, peak);
}

#endif
