/*
 * Real limits: under RLIMIT_AS and RLIMIT_DATA a program starts, fills what the limit leaves, gets
 * ENOMEM, and can use its memory again after it freed it. FT_FAULT_LIMITS=all also tries each size
 * under 1 GiB.
 */
#include "support/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Percent of what the limit leaves to the program when it starts, for each way of filling it. */
enum { GOAL = 80, WAYS = 3 };

static const char program[] = FT_PROGRAM_DIR "/fault_fill";
static const size_t mib = (size_t)1 << 20;
static const size_t sizes[] = {16, 100, 2000, 20000, 200000, (size_t)2 << 20};

enum { SIZES = sizeof sizes / sizeof *sizes };

struct row {
    const char *kind; /* as or data */
    size_t limit;
    size_t size;
    size_t other; /* the size that is tried after everything was freed */
};

/* What the program has at its start with libc's allocator: address space and data. */
static size_t had_at_start(const char *kind)
{
    struct child_result result;
    size_t had[2] = {0};
    child_run(&(struct child_spec){.argv = (const char *const[]){program, "start", NULL}}, &result);
    assert_true(child_succeeded(&result));
    assert_int_equal(sscanf(result.out, "%zu %zu", &had[0], &had[1]), 2);
    child_free(&result);
    return had[strcmp(kind, "data") == 0];
}

/* Prints a line of the table. Returns false if a share is below the goal. */
static bool fill(const struct row *row)
{
    char limit[32], size[32], other[32];
    struct child_result result;
    size_t bytes[WAYS] = {0}, share[WAYS];
    size_t left = row->limit - had_at_start(row->kind);
    bool reached = true;
    (void)snprintf(limit, sizeof limit, "%zu", row->limit);
    (void)snprintf(size, sizeof size, "%zu", row->size);
    (void)snprintf(other, sizeof other, "%zu", row->other);
    child_run(&(struct child_spec){.argv = (const char *const[]){program, row->kind, limit, "fill",
                                                                 size, other, NULL},
                                   .preload = child_library()},
              &result);
    if (!child_succeeded(&result) ||
        sscanf(result.out, "%zu %zu %zu", &bytes[0], &bytes[1], &bytes[2]) != WAYS)
        fail_msg("chunks of %zu bytes, limit %s of %zu MiB", row->size, row->kind,
                 row->limit / mib);
    child_free(&result);
    for (size_t way = 0; way < WAYS; way++) {
        share[way] = bytes[way] * 100 / left;
        reached = reached && share[way] >= GOAL;
    }
    printf("%-5s %5zu MiB  %8zu bytes %4zu %%  again %4zu %%  then %8zu bytes %4zu %%%s\n",
           row->kind, row->limit / mib, row->size, share[0], share[1], row->other, share[2],
           reached ? "" : "  BELOW THE GOAL");
    (void)fflush(stdout);
    return reached;
}

static unsigned fill_all_sizes(const char *kind, size_t limit, size_t step)
{
    unsigned below = 0;
    for (size_t i = step - 1; i < SIZES; i += step)
        below += !fill(&(struct row){kind, limit, sizes[i], sizes[(i + 3) % SIZES]});
    return below;
}

static void require_goal(const char *kind)
{
    const char *given = getenv("FT_FAULT_LIMITS");
    bool all = given != NULL && strcmp(given, "all") == 0;
    unsigned below = fill_all_sizes(kind, 64 * mib, 1);
    below += fill_all_sizes(kind, 256 * mib, 1);
    below += fill_all_sizes(kind, 1024 * mib, all ? 1 : 3);
    if (below > 0)
        fail_msg("%u rows are below %d %%", below, (int)GOAL);
}

static void test_address_space(void **state)
{
    (void)state;
    require_goal("as");
}

static void test_data(void **state)
{
    (void)state;
    require_goal("data");
}

/* Takes the name of a test as argument, so that ctest can run both at a time. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_space),
        cmocka_unit_test(test_data),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
