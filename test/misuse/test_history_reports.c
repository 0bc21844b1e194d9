/*
 * What reports say with FT_MALLOC_HISTORY: one line as without it, then who made the wrong call,
 * who freed the chunk first, and who allocated it, each with its thread and the place of the call.
 */
#include "support/child.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static void run_case(const char *name, const char *const *environment, struct child_result *result)
{
    child_run(&(struct child_spec){.argv = (const char *[]){FT_HISTORY_CASE, name, NULL},
                                   .environment = environment,
                                   .preload = child_library()},
              result);
}

/* What the program has said of the part "called", "freed" or "allocated". */
struct said {
    unsigned thread;
    unsigned long first, last;
};

static bool read_said(const char *out, const char *word, struct said *said)
{
    const char *line = strstr(out, word);
    char format[64];

    snprintf(format, sizeof format, "%s %%u %%lx %%lx", word);
    return line != NULL && sscanf(line, format, &said->thread, &said->first, &said->last) == 3;
}

/*
 * Checks the part of the report that begins with the word, and returns what follows its first
 * frame. The outermost frames of the C library are not told in the test.
 */
static const char *check_part(const struct child_result *result, const char *at, const char *word)
{
    char heading[64];
    unsigned long frame;
    struct said said = {0};
    const char *part;

    assert_true(read_said(result->out, word, &said));
    snprintf(heading, sizeof heading, "  %s by thread %u%s", word, said.thread,
             strcmp(word, "called") == 0 ? ":\n" : ", 0.");
    part = strstr(at, heading);
    if (part == NULL)
        fail_msg("no \"%s\" in \"%s\"", heading, at);
    else
        part = strstr(part, ":\n    #0 0x");
    assert_non_null(part);
    assert_int_equal(sscanf(part, ":\n    #0 %lx", &frame), 1);
    if (frame < said.first || frame > said.last)
        fail_msg("%s: %lx is not from %lx to %lx:\n%s", word, frame, said.first, said.last,
                 result->err);
    return part;
}

static void check(const char *name, const char *message, const char *const *environment,
                  const char *const *parts)
{
    struct child_result result;
    char expected[300];
    const char *at;
    size_t length;

    run_case(name, environment, &result);
    if (result.signal != SIGABRT)
        fail_msg("%s: %d %s %s", name, result.signal, result.out, result.err);
    at = result.err;
    length = strcspn(at, "\n");
    assert_non_null(strstr(at, message));
    assert_true(strstr(at, message) < at + length);
    for (; *parts != NULL; parts++)
        at = check_part(&result, at, *parts);
    /* The handler was given the line, and nothing of the rest. */
    snprintf(expected, sizeof expected, "message %.*s\n", (int)length, result.err);
    assert_non_null(strstr(result.out, expected));
    child_free(&result);
}

static const char *const environment[] = {"FT_MALLOC_HISTORY=100", NULL};
static const char *const all[] = {"called", "freed", "allocated", NULL};

static void test_double_free_in_threads(void **state)
{
    (void)state;
    check("double-free", "free(): double free of 0x", environment, all);
}

static void test_the_first_free_is_named(void **state)
{
    static const char *const report[] = {"FT_MALLOC_HISTORY=100", "FT_MALLOC_ON_ERROR=report",
                                         NULL};
    struct child_result result;
    const char *second;

    (void)state;
    run_case("third-free", report, &result);
    assert_int_equal(result.exit_code, 0);
    second = strstr(strchr(result.err, '\n'), "ft_malloc: free(): double free");
    assert_non_null(second);
    for (unsigned n = 0; n < 3; n++)
        second = check_part(&result, second, all[n]);
    child_free(&result);
}

static void test_chunks_that_realloc_moved(void **state)
{
    (void)state;
    check("moved", "free(): double free of 0x", environment, all);
}

static void test_realloc_of_a_freed_chunk(void **state)
{
    (void)state;
    check("realloc", "realloc(): double free of 0x", environment, all);
}

static void test_inside_a_chunk(void **state)
{
    static const char *const parts[] = {"called", "allocated", NULL};

    (void)state;
    check("inside", ": inside the chunk 0x", environment, parts);
}

static void test_a_call_that_is_not_noted(void **state)
{
    (void)state;
    check("usable-size", "malloc_usable_size(): double free of 0x", environment, all + 1);
}

static void test_overflow(void **state)
{
    static const char *const hardened[] = {"FT_MALLOC_HISTORY=100", "FT_MALLOC_HARDEN=1", NULL};
    static const char *const parts[] = {"called", "allocated", NULL};

    (void)state;
    check("overflow", "free(): written past the end of 0x", hardened, parts);
}

static void test_double_free_hardened(void **state)
{
    static const char *const hardened[] = {"FT_MALLOC_HISTORY=100", "FT_MALLOC_HARDEN=1", NULL};

    (void)state;
    check("double-free", "free(): double free of 0x", hardened, all);
}

static void test_what_the_ring_does_not_hold(void **state)
{
    static const char *const parts[] = {"called", "freed", NULL};
    struct child_result result;

    (void)state;
    check("forgotten", "free(): double free of 0x", environment, parts);
    run_case("forgotten", environment, &result);
    assert_non_null(strstr(result.err, "  allocated by a call that the history does not hold\n"));
    child_free(&result);
}

/* The frames are as many as the option says. */
static void test_depth(void **state)
{
    static const char *const shallow[] = {"FT_MALLOC_HISTORY=100,1", NULL};
    struct child_result result;

    (void)state;
    run_case("double-free", shallow, &result);
    assert_non_null(strstr(result.err, "    #0"));
    assert_null(strstr(result.err, "    #1"));
    child_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_double_free_in_threads),
        cmocka_unit_test(test_the_first_free_is_named),
        cmocka_unit_test(test_chunks_that_realloc_moved),
        cmocka_unit_test(test_realloc_of_a_freed_chunk),
        cmocka_unit_test(test_inside_a_chunk),
        cmocka_unit_test(test_a_call_that_is_not_noted),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_double_free_hardened),
        cmocka_unit_test(test_what_the_ring_does_not_hold),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
