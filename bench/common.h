/*
 * What every benchmark program shares: options, clock, random numbers, measuring, the result line.
 *
 * A program describes its work as a body that runs a number of rounds; a round holds a fixed number
 * of operations. bench_run() warms up, finds how many rounds fill a repetition and keeps the
 * quickest of several repetitions; with --rounds it runs those once, unmeasured. bench_print()
 * writes the result line `name ns_per_op peak_rss_kib [key=value ...]`; bench_measure() does both.
 * Nothing in here allocates before the measurement is over, so the allocator under test sees the
 * program's own requests only. For programs in bench/ only, in C or C++; each is one translation
 * unit.
 */
#ifndef FT_MALLOC_BENCH_COMMON_H
#define FT_MALLOC_BENCH_COMMON_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BENCH_STATUS_BYTES = 8192, BENCH_PAGE = 4096 };

/*
 * An option takes a number. If it has choices (a list that ends with NULL), it takes one of their
 * names, and its value is the index of that name.
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
    size_t rounds; /* not 0: exactly so many rounds, once, for counting instructions and system
                      calls */
};

typedef void bench_body(void *context, size_t rounds);

/* The result of a measurement. Programs may correct it before they print it. */
struct bench_result {
    double ns_per_op;
    size_t peak_rss_kib;
    size_t counted_ops; /* not 0: nothing was timed, so many operations were run for --rounds */
};

/* A further figure of a program. The result line ends with these, as key=value. */
struct bench_field {
    const char *key;
    double value;
};

__attribute__((noreturn)) static inline void bench_fail(const char *what, const char *detail)
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

/*
 * xorshift64*: a few cycles, and both halves of the result are good enough to be used on their own.
 */
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

/* Writes to the first and the last byte of a chunk, because programs use what they allocate. */
static inline void bench_touch(void *chunk, size_t size)
{
    unsigned char *bytes = (unsigned char *)chunk;
    bytes[0] = 1;
    bytes[size - 1] = 2;
}

/* Writes to every page of the bytes from .. to - 1 of a chunk, so that all become resident. */
static inline void bench_touch_pages(void *chunk, size_t from, size_t to)
{
    unsigned char *bytes = (unsigned char *)chunk;
    for (size_t i = from; i < to; i += BENCH_PAGE) {
        bytes[i] = 1;
    }
    bytes[to - 1] = 2;
}

/*
 * Resident memory that is not the allocator's: for the tables of programs that report what it
 * holds.
 */
static inline void *bench_map(size_t size)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) {
        bench_fail("out of memory", "");
    }
    return memory;
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

static inline const struct bench_option *bench_find(const struct bench_option *options,
                                                    size_t count, const char *flag)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].flag, flag) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

__attribute__((noreturn)) static inline void
bench_usage(const char *program, const struct bench_option *options, size_t count)
{
    printf("usage: %s [--name NAME] [OPTION VALUE]...\n", program);
    for (size_t i = 0; i < count; i++) {
        printf("  %-10s %s\n", options[i].flag, options[i].help);
    }
    exit(0);
}

/* Reads the program's own options and those that all programs have. */
static inline struct bench bench_parse(int argc, char **argv, const struct bench_option *own,
                                       size_t own_count)
{
    struct bench bench = {argv[0], 5, 60, 0}; /* C++17 knows no designated initialisers */
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
    if (bench.reps == 0) {
        bench_fail("--reps must not be 0", "");
    }
    return bench;
}

/* Returns the number of KiB that follows a key in a file of /proc/self, or 0 if there is none. */
static inline size_t bench_proc_kib(const char *path, const char *key)
{
    static char text[BENCH_STATUS_BYTES];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) {
        close(file);
    }
    text[length > 0 ? length : 0] = '\0';
    const char *line = strstr(text, key);
    return line ? (size_t)strtoull(line + strlen(key), NULL, 10) : 0;
}

/*
 * Reads VmHWM instead of calling getrusage(). ru_maxrss survives execve(), so it would show the
 * size of the runner for small programs.
 */
static inline size_t bench_peak_rss_kib(void)
{
    return bench_proc_kib("/proc/self/status", "VmHWM:");
}

/*
 * Returns what is resident now. smaps_rollup counts the pages. The kernel's own counters, which
 * statm and VmRSS show, are late by some hundred KiB in some versions of the kernel.
 */
static inline size_t bench_rss_bytes(void)
{
    size_t kib = bench_proc_kib("/proc/self/smaps_rollup", "\nRss:");
    return 1024 * (kib ? kib : bench_proc_kib("/proc/self/status", "VmRSS:"));
}

static inline uint64_t bench_time(bench_body *body, void *context, size_t rounds)
{
    uint64_t start = bench_now_ns();
    body(context, rounds);
    return bench_now_ns() - start;
}

/*
 * Doubles the rounds until they take a sixth of a repetition. Each number of them runs twice and
 * the quicker one counts: while the process gets its memory, it is much slower than later.
 */
static inline size_t bench_rounds_per_rep(const struct bench *bench, bench_body *body,
                                          void *context)
{
    const uint64_t rep_ns = (uint64_t)bench->rep_ms * 1000000u;
    for (size_t rounds = 1;; rounds *= 2) {
        const uint64_t first = bench_time(body, context, rounds);
        const uint64_t second = bench_time(body, context, rounds);
        const uint64_t elapsed = second < first ? second : first;
        if (elapsed >= rep_ns / 6) {
            const double fitting =
                (double)rounds * (double)rep_ns / (double)(elapsed ? elapsed : 1);
            return fitting < 1 ? 1 : (size_t)fitting;
        }
    }
}

/* Measures one round, for programs that do their work once in a process. */
static inline struct bench_result bench_run_once(const struct bench *bench, bench_body *body,
                                                 void *context, size_t ops_per_round)
{
    const size_t rounds = bench->rounds ? bench->rounds : 1;
    const uint64_t elapsed = bench_time(body, context, rounds);
    struct bench_result result = {0, bench_peak_rss_kib(), 0};
    if (bench->rounds) {
        result.counted_ops = rounds * ops_per_round;
    } else {
        result.ns_per_op = (double)elapsed / (double)ops_per_round;
    }
    return result;
}

static inline struct bench_result bench_run(const struct bench *bench, bench_body *body,
                                            void *context, size_t ops_per_round)
{
    if (bench->rounds) {
        return bench_run_once(bench, body, context, ops_per_round);
    }
    const size_t rounds = bench_rounds_per_rep(bench, body, context);
    /*
     * If a single round takes longer than a repetition should, the time limits the repetitions
     * instead of their number.
     */
    const uint64_t most_ns = 2 * (uint64_t)bench->reps * bench->rep_ms * 1000000u;
    uint64_t best = UINT64_MAX;
    uint64_t spent = 0;
    for (size_t rep = 0; rep < bench->reps && spent <= most_ns; rep++) {
        const uint64_t elapsed = bench_time(body, context, rounds);
        best = elapsed < best ? elapsed : best;
        spent += elapsed;
    }
    struct bench_result result = {0, bench_peak_rss_kib(), 0};
    result.ns_per_op = (double)best / (double)rounds / (double)ops_per_round;
    return result;
}

static inline void bench_print(const struct bench *bench, const struct bench_result *result,
                               const struct bench_field *fields, size_t field_count)
{
    printf("%s %.3f %zu", bench->name, result->ns_per_op, result->peak_rss_kib);
    if (result->counted_ops) {
        printf(" ops=%zu", result->counted_ops);
    }
    for (size_t i = 0; i < field_count; i++) {
        printf(" %s=%.3f", fields[i].key, fields[i].value);
    }
    printf("\n");
}

static inline void bench_measure(const struct bench *bench, bench_body *body, void *context,
                                 size_t ops_per_round)
{
    const struct bench_result result = bench_run(bench, body, context, ops_per_round);
    bench_print(bench, &result, NULL, 0);
}

#endif
