/*
 * The guardian process is nobody's child and has a session of its own. It waits for the end of a
 * pipe that only the test holds open.
 */
#include "faults/overcommit.h"

#include "faults/status.h"
#include "support/require.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the order in which they are restored. Setting kbytes or ratio makes the other one 0. */
enum { MEMORY, RESERVE, KBYTES, RATIO, SETTINGS };

static const char *const paths[SETTINGS] = {
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/user_reserve_kbytes",
    "/proc/sys/vm/overcommit_kbytes",
    "/proc/sys/vm/overcommit_ratio",
};

static char before[SETTINGS][32];
static int held = -1;     /* the guardian waits until this end is closed */
static int restored = -1; /* is closed when the guardian ends */

static bool get(unsigned setting, char value[32])
{
    int file = open(paths[setting], O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, value, 31);
    if (file >= 0)
        close(file);
    value[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static bool set(unsigned setting, const char *value)
{
    int file = open(paths[setting], O_WRONLY | O_CLOEXEC);
    bool done = file >= 0 && write(file, value, strlen(value)) == (ssize_t)strlen(value);
    if (file >= 0)
        close(file);
    return done;
}

static bool put_back(void)
{
    unsigned limit = strtoul(before[KBYTES], NULL, 10) > 0 ? KBYTES : RATIO;
    bool done = set(MEMORY, before[MEMORY]);
    done = set(RESERVE, before[RESERVE]) && done;
    return set(limit, before[limit]) && done;
}

static _Noreturn void guard(int end)
{
    char unused;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    setsid();
    while (read(end, &unused, 1) > 0)
        ;
    _exit(put_back() ? 0 : 1);
}

static void start_guardian(void)
{
    int hold[2], end[2];
    REQUIRE(pipe2(hold, O_CLOEXEC) == 0 && pipe2(end, O_CLOEXEC) == 0, "no pipes");
    pid_t between = fork();
    REQUIRE(between >= 0, "no process");
    if (between == 0) {
        /*
         * This process ends at once, so that somebody who kills the test with its children does not
         * find the guardian.
         */
        if (fork() != 0)
            _exit(0);
        close(hold[1]);
        close(end[0]);
        guard(hold[0]);
    }
    waitpid(between, NULL, 0);
    close(hold[0]);
    close(end[1]);
    held = hold[1];
    restored = end[0];
}

bool overcommit_can_be_set(void)
{
    for (unsigned setting = 0; setting < SETTINGS; setting++)
        if (!get(setting, before[setting]))
            return false;
    return set(RESERVE, before[RESERVE]) && set(MEMORY, before[MEMORY]);
}

void overcommit_limit(size_t more, size_t reserve)
{
    char limit[32], held_back[32];
    (void)snprintf(limit, sizeof limit, "%zu", status_machine_kib("Committed_AS:") + more);
    (void)snprintf(held_back, sizeof held_back, "%zu", reserve);
    start_guardian();
    REQUIRE(set(KBYTES, limit) && set(RESERVE, held_back) && set(MEMORY, "2"),
            "cannot set the limit");
}

void overcommit_restore(void)
{
    char unused;
    close(held);
    REQUIRE(read(restored, &unused, 1) == 0, "the guardian says nothing");
    close(restored);
}

bool overcommit_is_as_before(void)
{
    char now[SETTINGS][32];
    for (unsigned setting = 0; setting < SETTINGS; setting++)
        if (!get(setting, now[setting]) || strcmp(now[setting], before[setting]) != 0)
            return false;
    return true;
}
