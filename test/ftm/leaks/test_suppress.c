/*
 * Suppressions: LeakSanitizer's patterns, and files with mistakes.
 */
#include "suppress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void patterns(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {
        {"foo", "foo", true},
        {"foo", "a_foo_b", true},
        {"foo", "fo", false},
        {"foo", "", false},
        {"^foo", "foobar", true},
        {"^foo", "a_foo", false},
        {"foo$", "a_foo", true},
        {"foo$", "foo_", false},
        {"^foo$", "foo", true},
        {"^foo$", "foofoo", false},
        {"foo$", "foofoo", true},
        {"f*o", "xxfaaaaao", true},
        {"f*o", "xxfaaaaa", false},
        {"^f*o$", "foofx", false},
        {"^f*o$", "fo", true},
        {"^*bar", "foobar", true},
        {"a*b*c", "a1b2c", true},
        {"a*b*c", "a1c2b", false},
        {"a*b*c$", "abcabcd", false},
        {"a*b*c$", "abcdabc", true},
        {"*", "", true},
        {"^$", "", true},
        {"^$", "x", false},
        {"libfoo.so", "/usr/lib/libfoo.so.1", true},
        {"operator new[]", "operator new[](unsigned long)", true},
        {"a^b$c", "a^b$c", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (suppression_matches(cases[i].pattern, cases[i].name) != cases[i].matches)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].name);
}

/* Would take for ever if each star were tried with each rest. */
static void many_stars_end_soon(void **state)
{
    char name[20001], pattern[201];

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i < sizeof pattern - 1; i += 2)
        // NOLINTNEXTLINE: the end is written below
        memcpy(pattern + i, "a*", 2);
    memcpy(pattern + sizeof pattern - 3, "b$", 3);
    assert_false(suppression_matches(pattern, name));
}

/* Reads a file with this text. Stores what it said on errors in `said`. */
static bool read_text(struct suppressions *suppressions, const char *text, char *said, size_t size)
{
    char path[] = "/tmp/ftm-suppress-XXXXXX";
    int fd = mkstemp(path);
    FILE *errors = fmemopen(said, size, "w");
    bool fine;

    assert_true(fd >= 0 && errors != NULL);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    fine = suppressions_read(suppressions, path, errors);
    fclose(errors);
    unlink(path);
    return fine;
}

static void a_file(void **state)
{
    struct suppressions suppressions = {.list = NULL};
    char said[200] = "";

    (void)state;
    assert_true(read_text(&suppressions, "# all of these\n\n  leak:one \r\nleak:^two$", said, 200));
    assert_string_equal(said, "");
    assert_int_equal(suppressions.count, 2);
    assert_ptr_equal(suppressions_match(&suppressions, "x_one"), &suppressions.list[0]);
    assert_ptr_equal(suppressions_match(&suppressions, "two"), &suppressions.list[1]);
    assert_null(suppressions_match(&suppressions, "twofold"));
    assert_null(suppressions_match(&suppressions, NULL));
    suppressions_free(&suppressions);
}

static void mistakes(void **state)
{
    static const char *const texts[] = {"leak:a\nrace:b\n", "leak:a\nleak:\n", "leak:a\nb\n"};
    struct suppressions suppressions = {.list = NULL};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char said[200] = "";

        assert_false(read_text(&suppressions, texts[i], said, sizeof said));
        assert_non_null(strstr(said, ":2: "));
    }
    assert_false(suppressions_read(&suppressions, "/nowhere/to/be/found", stderr));
    suppressions_free(&suppressions);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(many_stars_end_soon),
        cmocka_unit_test(a_file),
        cmocka_unit_test(mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
