/*
 * vm.overcommit_memory=2: the kernel commits no more memory than it has been told, and whoever asks
 * for more gets ENOMEM. A program fills what it leaves, gets clean refusals, keeps what it has, and
 * finds its memory again when it has freed it: by default and hardened.
 *
 * The setting is the machine's, so this runs only where it is asked for (FT_FAULT_OVERCOMMIT=1) and
 * may be set. Others still get 256 GiB, since the kernel holds that much back from processes with
 * very much address space, as the one that fills has. But AddressSanitizer and ThreadSanitizer want
 * more, and do not start meanwhile.
 */
#include "faults/overcommit.h"
#include "support/child.h"
#include "support/require.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Percent of what the limit leaves to the program. */
enum { GOAL = 80, WAYS = 3, SKIPPED = 77 };

static const char program[] = FT_PROGRAM_DIR "/fault_fill";
static const size_t for_others = (size_t)256 << 20, for_the_program = (size_t)2 << 20; /* in KiB */

/* Prints a line. Returns false if a share is below the goal. */
static bool fill(const char *size, const char *other, const char *harden)
{
    char reserve[32];
    struct child_result result;
    size_t had[WAYS], left[WAYS];
    bool reached = true;
    (void)snprintf(reserve, sizeof reserve, "%zu", for_others);
    child_run(&(struct child_spec){.argv = (const char *const[]){program, "commit", reserve, "fill",
                                                                 size, other, NULL},
                                   .environment = (const char *const[]){harden, NULL},
                                   .preload = child_library(),
                                   .timeout_s = 100},
              &result);
    if (!child_succeeded(&result) ||
        sscanf(result.out, "%zu %zu %zu %zu %zu %zu", &had[0], &left[0], &had[1], &left[1], &had[2],
               &left[2]) != 2 * WAYS)
        return false;
    child_free(&result);
    printf("%s, %s bytes, again, %s bytes:", harden, size, other);
    for (unsigned way = 0; way < WAYS; way++) {
        printf(" %zu %% of %zu MiB", had[way] * 100 / left[way], left[way] >> 20);
        reached =
            reached && had[way] * 100 / left[way] >= GOAL && left[way] >> 10 <= 2 * for_the_program;
    }
    printf("%s\n", reached ? "" : "  BELOW THE GOAL");
    (void)fflush(stdout);
    return reached;
}

static void fill_under_limit(const char *size, const char *other, const char *harden)
{
    overcommit_limit(for_others + for_the_program, for_others);
    bool reached = fill(size, other, harden);
    overcommit_restore();
    assert_true(overcommit_is_as_before());
    assert_true(reached);
}

static void fill_all(const char *harden)
{
    fill_under_limit("2000", "2097152", harden);
    fill_under_limit("20000", "300", harden);
    fill_under_limit("200000", "1000000", harden);
}

static void test_by_default(void **state)
{
    (void)state;
    fill_all("FT_MALLOC_HARDEN=0");
}

static void test_hardened(void **state)
{
    (void)state;
    fill_all("FT_MALLOC_HARDEN=1");
}

/* Kills the process that has set the limit. The settings must be restored. */
static void test_the_settings_are_always_restored(void **state)
{
    (void)state;
    int ready[2];
    char unused;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        overcommit_limit(for_others + for_the_program, for_others);
        REQUIRE(write(ready[1], "", 1) == 1, "nobody reads");
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &unused, 1), 1);
    assert_false(overcommit_is_as_before());
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    while (!overcommit_is_as_before())
        usleep(1000);
    close(ready[0]);
    close(ready[1]);
}

static int leave_out(const char *why)
{
    printf("skipped: %s\n", why);
    return SKIPPED;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_settings_are_always_restored),
        cmocka_unit_test(test_by_default),
        cmocka_unit_test(test_hardened),
    };
    if (getenv("FT_FAULT_OVERCOMMIT") == NULL)
        return leave_out("changes a setting of the machine: ask for it with FT_FAULT_OVERCOMMIT=1");
    if (!overcommit_can_be_set())
        return leave_out("vm.overcommit_memory cannot be set");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
