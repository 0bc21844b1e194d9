/*
 * Threads in which libc itself allocates, and frees after the last destructor: libc frees
 * strerror's buffer and dlerror's message when the thread has run all its destructors.
 */
#include "support/require.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 400 };

static void *work(void *argument)
{
    const char *text = strerror(100000 + (int)(size_t)argument);
    REQUIRE(strstr(text, "100") != NULL, "strerror says \"%s\"", text);
    REQUIRE(dlopen("/nonexistent/library.so", RTLD_NOW) == NULL, "dlopen finds what is not there");
    if ((size_t)argument % 2 == 0)
        REQUIRE(dlerror() != NULL, "dlerror has no message");
    return NULL;
}

int main(void)
{
    for (size_t n = 0; n < THREADS; n++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, work, (void *)n) == 0, "pthread_create failed");
        pthread_join(thread, NULL);
    }
    printf("%d threads ended\n", (int)THREADS);
    return 0;
}
