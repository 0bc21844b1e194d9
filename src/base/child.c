/*
 * Tells whether this is the parent or the child. Only a thread that forks asks, between its
 * handlers.
 */
#include "base/child.h"
#include "os/os.h"

#include <pthread.h>

_Thread_local struct child child_self;

OS_TOUCHED static void (*repair_child)(void);

void child_watch(void (*repair)(void))
{
    repair_child = repair;
}

/*
 * The C library computes this clock from the thread's number, which it keeps, without a system
 * call.
 */
static clockid_t own_clock(void)
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
    clockid_t now = own_clock();

    if (now != child_self.parent)
        repair(now);
}

void child_prepare(void)
{
    /* A handler of the child may itself fork before our handler has run there. */
    child_check();
    child_self.parent = own_clock();
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
 * Compares with the last repair, not with the parent: in a new PID namespace, the child may have
 * the number that its parent has in another one.
 */
void child_begin(void)
{
    clockid_t now = own_clock();

    if (child_self.repaired != now)
        repair(now);
}
