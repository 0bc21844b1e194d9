/*
 * FT_MALLOC_STATS counts what the program called: each public function once a call, and nothing of
 * what our functions do for one another. Each case runs in a process of its own, ten times, by
 * default and hardened; what a process counts that calls nothing is subtracted.
 */
#include "support/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { TIMES = 10 };

struct counts {
    unsigned malloc, free, realloc, calloc, aligned, failed;
    unsigned long long bytes;
};

static const struct {
    const char *name;
    struct counts each; /* for one call */
} cases[] = {
    {"free_null", {0}},
    {"malloc_tiny", {.malloc = 1, .free = 1, .bytes = 100}},
    {"malloc_small", {.malloc = 1, .free = 1, .bytes = 5000}},
    {"malloc_large", {.malloc = 1, .free = 1, .bytes = 1000000}},
    {"malloc_0", {.malloc = 1, .free = 1}},
    {"cfree", {.malloc = 1, .free = 1, .bytes = 100}},
    {"free_sized", {.malloc = 1, .free = 1, .bytes = 5000}},
    {"free_aligned_sized", {.aligned = 1, .free = 1, .bytes = 640}},
    {"libc_names", {.malloc = 1, .realloc = 1, .free = 1, .bytes = 5100}},
    {"libc_memalign", {.aligned = 1, .free = 1, .bytes = 320}},
    {"calloc_tiny", {.calloc = 1, .free = 1, .bytes = 100}},
    {"calloc_large", {.calloc = 1, .free = 1, .bytes = 1000000}},
    {"realloc_in_place", {.malloc = 1, .realloc = 1, .free = 1, .bytes = 201}},
    {"realloc_tiny_to_small", {.malloc = 1, .realloc = 1, .free = 1, .bytes = 5100}},
    {"realloc_small_to_large", {.malloc = 1, .realloc = 1, .free = 1, .bytes = 1005000}},
    {"realloc_large_grows", {.malloc = 1, .realloc = 1, .free = 1, .bytes = 5000000}},
    {"realloc_large_shrinks", {.malloc = 1, .realloc = 1, .free = 1, .bytes = 1000100}},
    {"realloc_null", {.realloc = 1, .free = 1, .bytes = 100}},
    {"realloc_to_nothing", {.malloc = 1, .realloc = 1, .bytes = 100}},
    {"realloc_too_much", {.malloc = 1, .failed = 1, .free = 1, .bytes = 100}},
    {"reallocarray", {.malloc = 1, .realloc = 1, .free = 1, .bytes = 7100}},
    {"reallocarray_too_much", {.malloc = 1, .failed = 1, .free = 1, .bytes = 100}},
    {"aligned_alloc", {.aligned = 1, .free = 1, .bytes = 640}},
    {"memalign_8", {.aligned = 1, .free = 1, .bytes = 100}},
    {"memalign_1_mib", {.aligned = 1, .free = 1, .bytes = 5000}},
    {"posix_memalign", {.aligned = 1, .free = 1, .bytes = 5000}},
    {"posix_memalign_wrong", {.failed = 1}},
    {"valloc", {.aligned = 1, .free = 1, .bytes = 100}},
    {"pvalloc", {.aligned = 1, .free = 1, .bytes = 65536}},
    {"fail", {.failed = 4}},
    {"ask", {.malloc = 1, .free = 1, .bytes = 100}},
    {"new", {.malloc = 1, .free = 1, .bytes = 5000}},
    {"new_sized", {.malloc = 1, .free = 1, .bytes = 100}},
    {"new_array", {.malloc = 1, .free = 1, .bytes = 1000000}},
    {"new_array_sized", {.malloc = 1, .free = 1, .bytes = 100}},
    {"new_nothrow", {.malloc = 2, .free = 2, .bytes = 200}},
    {"new_aligned", {.aligned = 2, .free = 2, .bytes = 1280}},
    {"new_aligned_sized", {.aligned = 2, .free = 2, .bytes = 1280}},
    {"new_aligned_nothrow", {.aligned = 2, .free = 2, .bytes = 1280}},
    {"delete_null", {0}},
    {"new_nothrow_fails", {.failed = 1}},
};

static void read_counts(const char *name, const char *mode, struct counts *counts)
{
    const char *const argv[] = {FT_COUNTED_CALLS, name, NULL};
    const char *const environment[] = {"FT_MALLOC_STATS=1", mode, NULL};
    const struct child_spec spec = {
        .argv = argv, .environment = environment, .preload = child_library()};
    struct child_result result;
    struct child_stats stats;

    child_run(&spec, &result);
    assert_true(child_succeeded(&result));
    assert_true(child_read_stats(&result, &stats));
    child_free(&result);
    *counts = (struct counts){
        .malloc = (unsigned)stats.malloc_calls,
        .free = (unsigned)stats.free_calls,
        .realloc = (unsigned)stats.realloc_calls,
        .calloc = (unsigned)stats.calloc_calls,
        .aligned = (unsigned)stats.aligned_calls,
        .failed = (unsigned)stats.failed_calls,
        .bytes = stats.bytes,
    };
}

/* What a case counted more than another one did. */
static struct counts more(const char *name, const char *than, const char *mode)
{
    struct counts counts, base;

    read_counts(than, mode, &base);
    read_counts(name, mode, &counts);
    return (struct counts){
        .malloc = counts.malloc - base.malloc,
        .free = counts.free - base.free,
        .realloc = counts.realloc - base.realloc,
        .calloc = counts.calloc - base.calloc,
        .aligned = counts.aligned - base.aligned,
        .failed = counts.failed - base.failed,
        .bytes = counts.bytes - base.bytes,
    };
}

static void check(const char *name, const struct counts *got, const struct counts *each)
{
    if (got->malloc != each->malloc * TIMES || got->free != each->free * TIMES ||
        got->realloc != each->realloc * TIMES || got->calloc != each->calloc * TIMES ||
        got->aligned != each->aligned * TIMES || got->failed != each->failed * TIMES ||
        got->bytes != each->bytes * TIMES)
        fail_msg("%s: malloc %u free %u realloc %u calloc %u aligned %u failed %u bytes %llu", name,
                 got->malloc, got->free, got->realloc, got->calloc, got->aligned, got->failed,
                 got->bytes);
}

static void check_all(const char *mode)
{
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct counts got = more(cases[n].name, "nothing", mode);

        check(cases[n].name, &got, &cases[n].each);
    }
}

static void test_each_call_counts_once(void **state)
{
    (void)state;
    check_all("FT_MALLOC_HARDEN=0");
}

static void test_each_call_counts_once_when_hardened(void **state)
{
    (void)state;
    check_all("FT_MALLOC_HARDEN=1");
}

/* An exception is memory of the C++ library's, so only what fails is ours to say. */
static void test_a_throwing_new_counts_as_failed(void **state)
{
    static const char *const throwing[] = {"new_fails", "new_fails_after_handler"};

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        struct counts got = more(throwing[n], "nothing", "FT_MALLOC_HARDEN=0");

        assert_int_equal(got.failed, TIMES);
        assert_int_equal(got.malloc, got.free);
    }
}

static void test_threads_count_together(void **state)
{
    static const char *const modes[] = {"FT_MALLOC_HARDEN=0", "FT_MALLOC_HARDEN=1"};

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        struct counts got = more("thread_malloc", "thread", modes[n]);

        assert_int_equal(got.malloc, TIMES * TIMES);
        assert_int_equal(got.free, TIMES * TIMES);
        assert_int_equal(got.bytes, TIMES * TIMES * 5000);
        assert_int_equal(got.failed, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_counts_once),
        cmocka_unit_test(test_each_call_counts_once_when_hardened),
        cmocka_unit_test(test_a_throwing_new_counts_as_failed),
        cmocka_unit_test(test_threads_count_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
