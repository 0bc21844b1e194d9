/*
 * The number of the thread.
 */
#include "base/caller.h"

#include <pthread.h>
#include <time.h>

/*
 * The C library keeps the number, and computes from it the identity of the thread's clock: the
 * number's complement, with three bits behind it that say what clock it is.
 */
uint32_t caller_thread(void)
{
    clockid_t clock = 0;

    (void)pthread_getcpuclockid(pthread_self(), &clock);
    return ~(uint32_t)(clock >> 3);
}
