/*
 * Set-user-ID programs ignore the environment's options, because whoever starts one must not change
 * what it does. The same program without the bit obeys them. Needs root, to make a program of
 * another user's, and a file system that supports the bit; else it is skipped.
 */
#include "support/child.h"
#include "support/require.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { OWNER = 65534, CALLER = 54321, SKIPPED = 77, PATH = 200 };

static char directory[] = "/tmp/ft_malloc_secure.XXXXXX";

static void copy_program(const char *from, const char *to, mode_t mode)
{
    char buffer[65536];
    ssize_t got;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    REQUIRE(in >= 0 && out >= 0, "cannot copy %s to %s", from, to);
    while ((got = read(in, buffer, sizeof buffer)) > 0)
        REQUIRE(write(out, buffer, (size_t)got) == got, "cannot write %s", to);
    /* In this order, because a change of the owner clears the bit. */
    REQUIRE(got == 0 && fchown(out, OWNER, OWNER) == 0 && fchmod(out, mode) == 0, "cannot make %s",
            to);
    close(in);
    close(out);
}

/* Starts this program again, as the user who calls it: see main(). */
static void run(const char *program, struct child_result *result)
{
    const char *argv[] = {"/proc/self/exe", program, NULL};
    const char *environment[] = {"FT_MALLOC_STATS=1", "FT_MALLOC_ON_ERROR=report",
                                 "FT_MALLOC_HARDEN=1", NULL};
    child_run(&(struct child_spec){.argv = argv, .environment = environment}, result);
}

static int become_caller(const char *program)
{
    if (setgroups(0, NULL) != 0 || setgid(CALLER) != 0 || setuid(CALLER) != 0)
        return 126;
    execl(program, program, (char *)NULL);
    return 127;
}

/* Makes both copies of a program. Returns false if this machine cannot show the difference. */
static bool check(const char *name, const char *program)
{
    char plain[PATH];
    char secure[PATH];
    struct child_result result;
    (void)snprintf(plain, sizeof plain, "%s/%s", directory, name);
    (void)snprintf(secure, sizeof secure, "%s/%s_setuid", directory, name);
    copy_program(program, plain, 0755);
    copy_program(program, secure, 04755);

    run(plain, &result);
    if (result.exit_code == 127) {
        print_message("skipped: the library is out of reach for other users: %s\n", result.err);
        child_free(&result);
        return false;
    }
    assert_int_equal(result.exit_code, 0);
    assert_string_equal(result.out, "secure 0, usable 5\nwent on\n");
    assert_non_null(strstr(result.err, "ft_malloc: free(): double free of"));
    assert_non_null(strstr(result.err, "ft_malloc: stats:"));
    child_free(&result);

    run(secure, &result);
    bool heeded = strncmp(result.out, "secure 1", 8) == 0;
    if (!heeded) {
        print_message("skipped: the set-user-ID bit has no effect here\n");
    } else {
        assert_string_equal(result.out, "secure 1, usable 32\n");
        assert_int_equal(result.signal, SIGABRT);
        assert_non_null(strstr(result.err, "ft_malloc: free(): double free of"));
        assert_null(strstr(result.err, "ft_malloc: stats:"));
    }
    child_free(&result);
    return heeded;
}

static void test_linked_with_the_archive(void **state)
{
    (void)state;
    if (!check("static", FT_SECURE_STATIC))
        skip();
}

static void test_linked_with_the_shared_library(void **state)
{
    (void)state;
    if (!check("shared", FT_SECURE_SHARED))
        skip();
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL && chmod(directory, 0755) == 0 ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"static", "static_setuid", "shared", "shared_setuid"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        char path[PATH];
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[n]);
        unlink(path);
    }
    return rmdir(directory);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return become_caller(argv[1]);
    if (geteuid() != 0) {
        printf("skipped: not root\n");
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linked_with_the_archive),
        cmocka_unit_test(test_linked_with_the_shared_library),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
