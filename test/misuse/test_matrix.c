/*
 * Small misuses of every kind, size and distance (matrix_case), with the C library's allocator,
 * with ours, and with ours hardened. Prints a table of what is caught, and requires of ours what
 * docs/SECURITY.md promises.
 */
#include "support/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZES = 3, ALLOCATORS = 3 };

static const char *const sizes[SIZES] = {"8", "4096", "1048576"};
static const char *const allocators[ALLOCATORS] = {"glibc", "default", "hardened"};

/*
 * Which of the three sizes are caught, by default and hardened. 'x': must be; '.': may be; '-':
 * there is no such size.
 */
static const struct {
    const char *name;
    const char *by_default;
    const char *hardened;
} rows[] = {
    {"write-past-1", "...", "xxx"},         {"write-past-word", "...", "xxx"},
    {"write-past-32", "...", "xxx"},        {"write-past-page", "...", "..x"},
    {"write-past-mib", "...", "xx."},       {"run-past-1", "...", "xxx"},
    {"run-past-word", "...", "xxx"},        {"run-past-page", "...", "xxx"},
    {"run-past-mib", "...", "xxx"},         {"read-past-1", "...", "..x"},
    {"read-past-word", "...", "..x"},       {"read-past-page", "...", "..x"},
    {"read-past-mib", "...", "xx."},        {"write-before-1", "...", "xxx"},
    {"write-before-word", "...", "xxx"},    {"write-before-32", "...", "xxx"},
    {"write-before-page", "...", "..x"},    {"write-before-mib", "...", "..."},
    {"run-before-1", "...", "xxx"},         {"run-before-word", "...", "xxx"},
    {"run-before-page", "...", "xxx"},      {"run-before-mib", "...", "xxx"},
    {"read-before-1", "...", "..x"},        {"read-before-page", "...", "..x"},
    {"read-before-mib", "...", "..."},      {"write-freed", "...", "xxx"},
    {"read-freed", "...", "xxx"},           {"read-handed-out-1", "...", "xxx"},
    {"read-handed-out-many", "...", "xxx"}, {"reuse", "...", "xxx"},
    {"reuse-smaller", "...", "xxx"},        {"free-twice", "xxx", "xxx"},
    {"free-twice-later", "...", "xxx"},     {"free-interleaved", "xxx", "xxx"},
    {"free-reused", "...", "xxx"},          {"free-inside-1", "xxx", "xxx"},
    {"free-inside-word", "xxx", "xxx"},     {"free-inside-16", "xxx", "xxx"},
    {"free-page-away", "xxx", "xxx"},       {"free-gib-away", "xxx", "xxx"},
    {"free-among", "xxx", "xxx"},           {"free-forged", "xxx", "xxx"},
    {"free-stack", "x--", "x--"},           {"free-1", "x--", "x--"},
    {"realloc-freed", "xxx", "xxx"},        {"empty-read-malloc", ".--", "x--"},
    {"empty-read-calloc", ".--", "x--"},    {"empty-read-aligned", ".--", "x--"},
    {"empty-read-posix", ".--", "x--"},     {"empty-read-memalign", ".--", "x--"},
    {"empty-read-realloc", ".--", "x--"},   {"empty-read-valloc", ".--", "x--"},
    {"empty-write-malloc", ".--", "x--"},   {"empty-write-calloc", ".--", "x--"},
    {"empty-write-aligned", ".--", "x--"},  {"empty-write-realloc", ".--", "x--"},
    {"empty-read-15", ".--", "x--"},        {"empty-free-twice", ".--", "x--"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static bool results[ALLOCATORS][ROWS][SIZES];
static unsigned all;

static bool caught(unsigned allocator, const char *name, const char *size)
{
    const char *argv[] = {FT_MATRIX_CASE, name, size, NULL};
    const char *environment[] = {allocator == 2 ? "FT_MALLOC_HARDEN=1" : "FT_MALLOC_HARDEN=0",
                                 NULL};
    struct child_result result;
    bool lived;
    child_run(&(struct child_spec){.argv = argv,
                                   .environment = environment,
                                   .preload = allocator == 0 ? NULL : child_library(),
                                   .timeout_s = 60},
              &result);
    assert_false(result.timed_out);
    lived = strstr(result.out, "not caught") != NULL;
    /* A program that went wrong for another reason says so. */
    assert_true(strstr(result.err, "required:") == NULL);
    child_free(&result);
    return !lived;
}

static void print_row(size_t row)
{
    printf("%-22s", rows[row].name);
    for (unsigned allocator = 0; allocator < ALLOCATORS; allocator++)
        for (unsigned size = 0; size < SIZES; size++)
            printf("%s%c", size == 0 ? "  " : " ",
                   rows[row].hardened[size] == '-' ? ' '
                   : results[allocator][row][size] ? 'x'
                                                   : '.');
    printf("\n");
}

static void print_table(void)
{
    printf("%-22s  glibc  ours   hardened   (8 bytes, 4 KiB, 1 MiB; x: caught)\n", "");
    for (size_t row = 0; row < ROWS; row++)
        print_row(row);
    for (unsigned allocator = 0; allocator < ALLOCATORS; allocator++) {
        unsigned sum = 0;
        for (size_t row = 0; row < ROWS; row++)
            for (unsigned size = 0; size < SIZES; size++)
                sum += results[allocator][row][size];
        printf("%s: %u of %u caught\n", allocators[allocator], sum, all);
    }
}

static int run_all(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++)
        for (unsigned size = 0; size < SIZES; size++) {
            if (rows[row].hardened[size] == '-')
                continue;
            all++;
            for (unsigned allocator = 0; allocator < ALLOCATORS; allocator++)
                results[allocator][row][size] = caught(allocator, rows[row].name, sizes[size]);
        }
    print_table();
    return 0;
}

static void require(unsigned allocator, const char *const wanted, size_t row)
{
    for (unsigned size = 0; size < SIZES; size++)
        if (wanted[size] == 'x' && !results[allocator][row][size])
            fail_msg("%s of %s bytes is not caught, %s", rows[row].name, sizes[size],
                     allocators[allocator]);
}

static void test_default_catches_what_it_promises(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++)
        require(1, rows[row].by_default, row);
}

static void test_hardened_catches_what_it_promises(void **state)
{
    (void)state;
    for (size_t row = 0; row < ROWS; row++)
        require(2, rows[row].hardened, row);
}

int main(void)
{
    unsetenv("FT_MALLOC_ON_ERROR");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_catches_what_it_promises),
        cmocka_unit_test(test_hardened_catches_what_it_promises),
    };
    return cmocka_run_group_tests(tests, run_all, NULL);
}
