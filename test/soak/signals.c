/*
 * Signals at random moments: SIGPROF by the processor time of the process, SIGUSR1 and SIGUSR2 sent
 * to the workers. Their handlers do nothing, or what a handler may do. SIGSTOP and SIGCONT come
 * from outside.
 */
#include "soak/soak.h"

#include "support/require.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { PROFILE_US = 3000, LONGEST_PAUSE_US = 3000 };

static pthread_t sender;
static int nowhere;

static void do_nothing(int number)
{
    (void)number;
}

static void do_what_is_allowed(int number)
{
    int kept = errno;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (write(nowhere, &number, sizeof number) != (ssize_t)sizeof number || sched_yield() != 0)
        _exit(3);
    atomic_fetch_add(&counts.signals, 1);
    errno = kept;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    REQUIRE(sigaction(number, &action, NULL) == 0, "sigaction failed");
}

/* It is no error if the thread has ended meanwhile. */
static void *send(void *unused)
{
    struct rng rng = soak_rng();
    while (!atomic_load(&soak_over)) {
        pid_t thread = place_thread(rng_below(&rng, PLACES));
        if (thread != 0)
            (void)syscall(SYS_tgkill, getpid(), thread,
                          rng_below(&rng, 2) == 0 ? SIGUSR1 : SIGUSR2);
        soak_pause_us(rng_below(&rng, LONGEST_PAUSE_US));
    }
    return unused;
}

void signals_start(void)
{
    struct itimerval often = {{0, PROFILE_US}, {0, PROFILE_US}};
    nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(nowhere >= 0, "no /dev/null");
    handle(SIGUSR1, do_nothing);
    handle(SIGUSR2, do_what_is_allowed);
    handle(SIGPROF, do_what_is_allowed);
    REQUIRE(setitimer(ITIMER_PROF, &often, NULL) == 0, "setitimer failed");
    REQUIRE(pthread_create(&sender, NULL, send, NULL) == 0, "pthread_create failed");
}

void signals_join(void)
{
    struct itimerval never = {{0, 0}, {0, 0}};
    pthread_join(sender, NULL);
    setitimer(ITIMER_PROF, &never, NULL);
}
