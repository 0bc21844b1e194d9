/*
 * life_no_counter: a process that may not read the processor's cycle counter allocates, with a
 * thread beside it.
 */
#include "support/require.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>

static void *work(void *argument)
{
    void *chunks[1000];

    for (unsigned round = 0; round < 20; round++) {
        for (size_t n = 0; n < 1000; n++)
            REQUIRE((chunks[n] = malloc(n * n)) != NULL, "no memory");
        for (size_t n = 0; n < 1000; n++)
            free(chunks[n]);
    }
    return argument;
}

int main(void)
{
    pthread_t thread;

#ifdef PR_SET_TSC
    /* Only x86 has this setting. */
    (void)prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
#endif
    REQUIRE(pthread_create(&thread, NULL, work, NULL) == 0, "no thread");
    work(NULL);
    REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
    return 0;
}
