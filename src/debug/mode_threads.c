/*
 * One line for each mode that has to do something.
 */
#include "debug/mode_threads.h"

#include "arena/thread.h"
#include "bins/guard_pool.h"
#include "debug/history.h"
#include "debug/profile.h"

static void ended(void)
{
    history_thread_end();
    profile_thread_end();
}

static void forked(void)
{
    history_after_fork();
    guard_pool_after_fork();
    profile_after_fork();
}

void mode_threads_watch(void)
{
    static const struct thread_watch watch = {.ended = ended, .forked = forked};

    thread_watch(&watch);
}
