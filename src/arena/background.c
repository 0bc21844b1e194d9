/*
 * The background thread.
 */
#include "arena/background.h"

#include "arena/thread.h"
#include "arena/visit.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/control.h"
#include "base/options.h"
#include "large/large.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum {
    STACK = 64 << 10,
    /* How long the thread sleeps, in nanoseconds. */
    PERIOD = 250 * 1000 * 1000,
    /* And between two visits, so that an arena's own threads get its lock. */
    BREAK = 1000 * 1000,
    SECOND = 10 * CLOCK_TENTH,
};

/* Any thread sets it; relaxed, because it only matters who is first. */
static _Atomic bool started;

/* Nobody signals `never`; waiting for it is how the thread sleeps. */
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never;

static void sleep_for(long nanoseconds)
{
    uint64_t until = clock_now() + (uint64_t)nanoseconds;
    struct timespec time = {.tv_sec = (time_t)(until / SECOND), .tv_nsec = (long)(until % SECOND)};

    pthread_mutex_lock(&sleep_lock);
    while (pthread_cond_timedwait(&never, &sleep_lock, &time) == 0) {
    }
    pthread_mutex_unlock(&sleep_lock);
}

static void *run(void *unused)
{
    for (;;) {
        sleep_for(PERIOD);
        while (visit_one())
            sleep_for(BREAK);
        large_make_way(0);
        control_poll();
    }
    return unused;
}

/* The condition is timed by the clock of clock_now(). */
static bool make_condition(void)
{
    pthread_condattr_t attributes;
    bool made;

    if (pthread_condattr_init(&attributes) != 0)
        return false;
    made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(&never, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return made;
}

static void create(void)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (pthread_attr_init(&attributes) != 0)
        return;
    /* If the size is too small for the thread's TLS, the usual one is taken. */
    if (pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0) {
        pthread_attr_setstacksize(&attributes, STACK);
        if (pthread_create(&thread, &attributes, run, NULL) != 0) {
            pthread_attr_destroy(&attributes);
            return;
        }
    }
    pthread_attr_destroy(&attributes);
}

void background_start(void)
{
    sigset_t all, before;
    int saved_errno = errno;

    /* A thread that ends, or forks, had better not create another one. */
    if (!options.background || thread_self.ended || child_self.forking != 0 ||
        atomic_load_explicit(&started, memory_order_relaxed) ||
        atomic_exchange_explicit(&started, true, memory_order_relaxed))
        return;
    /* No handler of the program runs on the small stack. */
    memset(&all, 0xff, sizeof all);
    if (make_condition() && pthread_sigmask(SIG_SETMASK, &all, &before) == 0) {
        create();
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    errno = saved_errno;
}

void background_after_fork(void)
{
    pthread_mutex_init(&sleep_lock, NULL);
    /* relaxed: there is one thread only */
    atomic_store_explicit(&started, false, memory_order_relaxed);
}
