/*
 * Mistakes in which several threads have a part.
 */
#include "programs.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void in_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, argument) != 0 || pthread_join(thread, NULL) != 0)
        exit(99);
}

static void *free_there(void *chunk)
{
    free(chunk);
    return NULL;
}

static void *overflow_there(void *chunk)
{
    memset(chunk, 'o', opaque_size(41));
    return NULL;
}

static void *write_and_churn(void *chunk)
{
    ((char *)chunk)[5] = 'w';
    return NULL;
}

static bool double_free_by_other_thread(void)
{
    char *chunk = chunk_of(40);

    free(chunk);
    in_thread(free_there, chunk);
    return false;
}

static bool double_free_after_other_thread(void)
{
    char *chunk = chunk_of(40);

    in_thread(free_there, chunk);
    free(chunk);
    return false;
}

static bool both_free_by_other_threads(void)
{
    char *chunk = chunk_of(3000);

    in_thread(free_there, chunk);
    in_thread(free_there, chunk);
    return false;
}

static bool interior_free_by_other_thread(void)
{
    in_thread(free_there, chunk_of(200) + 48);
    return false;
}

static bool stack_of_other_thread(void)
{
    char local[64];

    in_thread(free_there, opaque(local));
    return false;
}

static bool wild_free_by_thread(void)
{
    in_thread(free_there, (void *)(uintptr_t)0x7f0012345670);
    return false;
}

static bool overflow_by_other_thread(void)
{
    in_thread(overflow_there, chunk_of(40));
    return false;
}

static bool write_after_free_by_other_thread(void)
{
    char *chunk = chunk_of(40);

    free(chunk);
    in_thread(write_and_churn, chunk);
    churn(40);
    return false;
}

static const struct program table[] = {
    {"double_free_by_other_thread", double_free_by_other_thread, REPORTED, "double free of"},
    {"double_free_after_other_thread", double_free_after_other_thread, REPORTED, "double free of"},
    {"both_free_by_other_threads", both_free_by_other_threads, REPORTED, "double free of"},
    {"interior_free_by_other_thread", interior_free_by_other_thread, REPORTED, "inside the chunk"},
    {"stack_of_other_thread", stack_of_other_thread, REPORTED, "not from this allocator"},
    {"wild_free_by_thread", wild_free_by_thread, REPORTED, "invalid pointer 0x7f0012345670"},
    {"overflow_by_other_thread", overflow_by_other_thread, REPORTED, "memset\\(\\): writes 1 byte"},
    {"write_after_free_by_other_thread", write_after_free_by_other_thread, REPORTED, "written"},
};
PROGRAMS(threads, "thread");
