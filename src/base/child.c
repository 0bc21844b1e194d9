/*
 * Which process is this? Only the thread that forks asks, and only between its handlers.
 */
#include "base/child.h"

#include <pthread.h>

_Thread_local struct child child_self;

static void (*repair_child)(void);

void child_watch(void (*repair)(void))
{
    repair_child = repair;
}

/* The C library computes it from the number that it keeps, without a call of the kernel. */
static clockid_t me(void)
{
    clockid_t clock = 0;

    (void)pthread_getcpuclockid(pthread_self(), &clock);
    return clock;
}

static void repair(clockid_t now)
{
    child_self.forking = 0;
    child_self.repaired = now;
    repair_child();
}

void child_look(void)
{
    clockid_t now = me();

    if (now != child_self.parent)
        repair(now);
}

void child_prepare(void)
{
    /* A handler of the child may fork itself, before ours has run. */
    child_check();
    child_self.parent = me();
    child_self.repaired_before = child_self.repaired;
    child_self.repaired = 0;
    child_self.forking++;
}

void child_parent(void)
{
    child_self.repaired = child_self.repaired_before;
    if (child_self.forking > 0)
        child_self.forking--;
}

/*
 * Asks whether the repair was made, and not whether the thread's number is another one: in a new
 * name space of processes the child may have the number that its parent has elsewhere.
 */
void child_begin(void)
{
    clockid_t now = me();

    if (child_self.repaired != now)
        repair(now);
}
