/*
 * The modes that change what calls do (fill, limit, fail, check), and how options are set and read
 * while the process runs. Runs in a usual and in a hardened process.
 */
#include "unit/unit.h"

#include "base/options.h"
#include "bins/state.h"
#include "ft_malloc.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void set(const char *name, const char *value)
{
    assert_int_equal(ft_malloc_set(name, value), 0);
}

static int all_off(void **state)
{
    (void)state;
    for (unsigned option = OPTION_STATS; option < OPTIONS; option++)
        set(option_name((enum option)option), "0");
    set("on_error", "abort");
    return 0;
}

static void check_get(const char *name, const char *expected)
{
    char buffer[200];

    assert_int_equal(ft_malloc_get(name, buffer, sizeof buffer), strlen(expected));
    assert_string_equal(buffer, expected);
}

static void check_refused(const char *name, const char *value, int error, const char *why)
{
    errno = 0;
    assert_int_equal(ft_malloc_set(name, value), -1);
    assert_int_equal(errno, error);
    check_get("error", why);
}

static void test_what_is_set_is_read(void **state)
{
    (void)state;
    check_get("FT_MALLOC_FILL", "0");
    set("FT_MALLOC_FILL", "aa,BB");
    check_get("fill", "aa,BB");
    set("Fill", "0");
    check_get("FILL", "0");
    check_get("ON_ERROR", "abort");
    set("on_error", "report");
    check_get("ON_ERROR", "report");
    check_get("DUMP", "0");
}

static void test_a_value_longer_than_the_buffer(void **state)
{
    (void)state;
    char buffer[4] = "xyz";

    set("limit", "1000000000000");
    assert_int_equal(ft_malloc_get("limit", buffer, sizeof buffer), 13);
    assert_string_equal(buffer, "100");
    assert_int_equal(ft_malloc_get("limit", NULL, 0), 13);
    assert_int_equal(ft_malloc_get("limit", buffer, 1), 13);
    assert_string_equal(buffer, "");
}

static void test_refusals(void **state)
{
    (void)state;
    check_refused("profil", "1", EINVAL,
                  "option profil is not known, did you mean FT_MALLOC_PROFILE?");
    check_refused("no_such_option", "1", EINVAL, "option no_such_option is not known");
    check_refused("", "1", EINVAL, "option  is not known");
    check_refused("record", "2", EINVAL, "option FT_MALLOC_RECORD expects 0 or 1");
    check_refused("fill", "aa", EINVAL,
                  "option FT_MALLOC_FILL expects 0, or two bytes in hexadecimal such as AA,DD");
    check_refused("check", "00000000000000000000000000000000000001", EINVAL,
                  "option FT_MALLOC_CHECK expects 0, or each N-th call such as 100");
    check_refused("harden", "1", EPERM,
                  "option FT_MALLOC_HARDEN cannot be changed: "
                  "the chunks that exist have canaries, or have none");
    check_refused("arena_max", "3", EPERM,
                  "option FT_MALLOC_ARENA_MAX cannot be changed: arenas exist");
    check_refused("background", "1", EPERM,
                  "option FT_MALLOC_BACKGROUND cannot be changed: "
                  "the thread is started, or not, when the program begins to allocate");
    check_refused("dump", "2", EPERM,
                  "option FT_MALLOC_DUMP cannot be changed: "
                  "who writes at exit and at a signal has read it");
    errno = 0;
    assert_int_equal(ft_malloc_get("profil", NULL, 0), -1);
    assert_int_equal(errno, EINVAL);
}

static void test_a_refusal_changes_nothing(void **state)
{
    (void)state;
    set("limit", "1G");
    check_refused("limit", "much", EINVAL,
                  "option FT_MALLOC_LIMIT expects 0, or bytes such as 1000000 or 256M");
    check_get("limit", "1G");
    assert_true(mode_is_on(MODE_LIMIT));
    assert_int_equal(mode_number(MODE_LIMIT, 0), 1 << 30);
}

/* Returns how many of the bytes have the value. */
static size_t count(const void *memory, size_t size, unsigned char value)
{
    const unsigned char *bytes = memory;
    size_t found = 0;

    for (size_t i = 0; i < size; i++)
        found += bytes[i] == value;
    return found;
}

static const size_t sizes[] = {1, 24, 700, 5000, 200000, 1 << 20};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void test_new_memory_is_filled(void **state)
{
    (void)state;
    void *chunk = NULL;

    set("fill", "5A,C3");
    for (size_t n = 0; n < SIZES; n++) {
        chunk = ft_malloc(sizes[n]);
        assert_int_equal(count(chunk, ft_malloc_usable_size(chunk), 0x5a),
                         ft_malloc_usable_size(chunk));
        ft_free(chunk);
        assert_int_equal(ft_posix_memalign(&chunk, 64, sizes[n]), 0);
        assert_int_equal(count(chunk, sizes[n], 0x5a), sizes[n]);
        ft_free_sized(chunk, sizes[n]);
        chunk = ft_calloc(1, sizes[n]);
        assert_int_equal(count(chunk, sizes[n], 0), sizes[n]);
        ft_free(chunk);
    }
}

static void test_what_realloc_adds_is_filled(void **state)
{
    (void)state;
    unsigned char *chunk;

    set("fill", "5A,C3");
    chunk = ft_realloc(NULL, 10);
    assert_int_equal(count(chunk, 10, 0x5a), 10);
    memset(chunk, 1, 10);
    for (size_t n = 0; n + 1 < SIZES; n++) {
        size_t kept = n == 0 ? 10 : ft_malloc_usable_size(chunk);

        memset(chunk, 1, kept);
        chunk = ft_realloc(chunk, kept + sizes[n + 1]);
        assert_int_equal(count(chunk, kept, 1), kept);
        assert_int_equal(count(chunk + kept, sizes[n + 1], 0x5a), sizes[n + 1]);
    }
    chunk = ft_realloc(chunk, 5);
    assert_int_equal(count(chunk, 5, 1), 5);
    assert_null(ft_realloc(chunk, 0));
}

/* In a hardened process freed memory is zero, or cannot be read. */
static void test_freed_memory_is_filled(void **state)
{
    (void)state;
    unsigned char *chunk, *moved;
    uintptr_t old;

    if (options.harden)
        skip();
    set("fill", "5A,C3");
    chunk = ft_malloc(700);
    old = (uintptr_t)chunk;
    ft_free(chunk);
    assert_int_equal(count((void *)old, 700, 0xc3), 700);
    chunk = ft_malloc(3000);
    old = (uintptr_t)chunk;
    moved = ft_realloc(chunk, 2999);
    assert_true((uintptr_t)moved != old);
    assert_int_equal(count((void *)old, 3000, 0xc3), 3000);
    ft_free(moved);
}

static void test_a_limit(void **state)
{
    (void)state;
    void *chunks[100], *more;
    size_t taken = 0;

    set("limit", "0");
    set("limit", "1000000");
    while (taken < 100 && (chunks[taken] = ft_malloc(20000)) != NULL)
        taken++;
    assert_int_equal(errno, ENOMEM);
    assert_in_range(taken, 40, 50); /* something else may be live, but not much */
    assert_null(ft_calloc(2, 10000));
    assert_null(ft_aligned_alloc(64, 20000));
    assert_int_equal(ft_posix_memalign(&more, 64, 20000), ENOMEM);
    assert_null(ft_realloc(NULL, 20000));
    assert_null(ft_realloc(chunks[0], 40000));
    chunks[0] = ft_realloc(chunks[0], 100);
    assert_non_null(chunks[0]);
    more = ft_malloc(19000);
    assert_non_null(more);
    ft_free(more);
    while (taken > 0)
        ft_free(chunks[--taken]);
}

/* Whatever calls are made, the sum is what is live. */
static void test_the_limit_counts_what_is_live(void **state)
{
    (void)state;
    char *one, *other;

    set("limit", "1G");
    for (unsigned round = 0; round < 300; round++) {
        one = ft_malloc(1000);
        one = ft_realloc(one, 300000);
        one = ft_realloc(one, 70);
        other = ft_calloc(7, 1000);
        ft_free_sized(one, 70);
        assert_null(ft_realloc(other, 0));
        assert_null(ft_malloc((size_t)2 << 30));
        ft_free(NULL);
    }
    set("limit", "0");
    set("limit", "1M");
    one = ft_malloc(900000);
    assert_non_null(one);
    ft_free(one);
    one = ft_malloc(900000);
    assert_non_null(one);
    ft_free(one);
}

static void test_the_limit_is_a_limit_of_the_whole_process(void **state)
{
    (void)state;
    void *before = ft_malloc(600000);

    set("limit", "1M");
    assert_null(ft_malloc(600000));
    ft_free(before);
    before = ft_malloc(600000);
    assert_non_null(before);
    ft_free(before);
}

static void test_the_third_call_fails(void **state)
{
    (void)state;
    void *chunks[4];

    set("fail", "3");
    chunks[0] = ft_malloc(10);
    chunks[1] = ft_calloc(10, 10);
    errno = 0;
    chunks[2] = ft_realloc(chunks[1], 200);
    assert_int_equal(errno, ENOMEM);
    chunks[3] = ft_realloc(chunks[1], 200);
    assert_non_null(chunks[0]);
    assert_non_null(chunks[1]);
    assert_null(chunks[2]);
    assert_non_null(chunks[3]);
    ft_free(chunks[0]);
    ft_free(chunks[3]);
}

static uint64_t failures_of(const char *value)
{
    uint64_t which = 0;

    set("fail", value);
    for (unsigned n = 0; n < 64; n++) {
        void *chunk = ft_malloc(100);

        which |= (uint64_t)(chunk == NULL) << n;
        ft_free(chunk);
    }
    return which;
}

static void test_a_seed_tells_which_calls_fail(void **state)
{
    (void)state;
    uint64_t one = failures_of("1,1/8");

    assert_true(one == failures_of("1,1/8"));
    assert_true(one != failures_of("2,1/8"));
    assert_in_range(__builtin_popcountl(one), 1, 24);
    assert_true(failures_of("3,1/1") == UINT64_MAX);
    assert_true(failures_of("0") == 0);
}

/* A check is made at each fifth call from the first on, and finds what was damaged before it. */
static void damage_a_state(void *before)
{
    uintptr_t chunk = (uintptr_t)ft_malloc(500);

    REQUIRE(chunk != 0 && ft_malloc_set("check", "5") == 0, "cannot begin");
    for (unsigned n = 0; n < *(unsigned *)before; n++)
        ft_free(ft_malloc(100));
    atomic_store(tiny_state(chunk + CHUNK_ALIGN), tiny_state_of(STATE_LIVE, 1));
    for (unsigned n = *(unsigned *)before; n < 5; n++)
        ft_free(ft_malloc(100));
}

static void test_a_check_ends_a_damaged_process(void **state)
{
    (void)state;
    struct unit_end end;

    unsigned before = 1;

    unit_in_child(damage_a_state, &before, &end);
    assert_int_equal(end.exit_code, 0);
    before = 0;
    unit_in_child(damage_a_state, &before, &end);
    assert_int_equal(end.signal, SIGABRT);
    assert_non_null(strstr(end.err, "ft_malloc: FT_MALLOC_CHECK: wrong state of a chunk at "));
}

static void test_a_sound_process_is_checked_in_vain(void **state)
{
    (void)state;
    void *chunks[50];

    set("check", "1");
    for (unsigned round = 0; round < 3; round++) {
        for (size_t n = 0; n < 50; n++)
            chunks[n] = ft_malloc(n * 100);
        for (size_t n = 0; n < 50; n++)
            ft_free(chunks[n]);
    }
}

static void freed_twice(void *option)
{
    char *chunk, *other;

    REQUIRE(ft_malloc_set(option, strcmp(option, "fill") == 0 ? "aa,bb" : "1000000") == 0, "off");
    REQUIRE(ft_malloc_set("on_error", "report") == 0, "no report");
    chunk = ft_malloc(100);
    other = ft_malloc(100);
    ft_free(chunk);
    ft_free(chunk);
    ft_free(other + 16);
    REQUIRE(ft_realloc(chunk, 50) == NULL, "realloc of a freed chunk");
    ft_free(other);
    REQUIRE(ft_malloc_check() == 0, "damaged");
}

static void test_misuse_is_reported_in_each_mode(void **state)
{
    (void)state;
    static const char *const names[] = {"fill", "limit", "check", "fail", "history"};
    struct unit_end end;

    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        unit_in_child(freed_twice, (void *)names[n], &end);
        assert_int_equal(end.exit_code, 0);
        assert_non_null(strstr(end.err, "free(): double free of "));
        assert_non_null(strstr(end.err, "free(): invalid pointer "));
        assert_non_null(strstr(end.err, "realloc(): double free of "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_is_set_is_read, all_off),
        cmocka_unit_test_teardown(test_a_value_longer_than_the_buffer, all_off),
        cmocka_unit_test_teardown(test_refusals, all_off),
        cmocka_unit_test_teardown(test_a_refusal_changes_nothing, all_off),
        cmocka_unit_test_teardown(test_new_memory_is_filled, all_off),
        cmocka_unit_test_teardown(test_what_realloc_adds_is_filled, all_off),
        cmocka_unit_test_teardown(test_freed_memory_is_filled, all_off),
        cmocka_unit_test_teardown(test_a_limit, all_off),
        cmocka_unit_test_teardown(test_the_limit_counts_what_is_live, all_off),
        cmocka_unit_test_teardown(test_the_limit_is_a_limit_of_the_whole_process, all_off),
        cmocka_unit_test_teardown(test_the_third_call_fails, all_off),
        cmocka_unit_test_teardown(test_a_seed_tells_which_calls_fail, all_off),
        cmocka_unit_test_teardown(test_a_check_ends_a_damaged_process, all_off),
        cmocka_unit_test_teardown(test_a_sound_process_is_checked_in_vain, all_off),
        cmocka_unit_test_teardown(test_misuse_is_reported_in_each_mode, all_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
