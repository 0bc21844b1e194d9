/*
 * What a profile or a record keeps for each thread. TLS holds only a pointer to it, because static
 * TLS is scarce. A thread gets a record with its first call that is noted, and gives it back when
 * it ends; what it calls afterwards has one for each call.
 */
#ifndef FT_DEBUG_PROFILE_THREAD_H
#define FT_DEBUG_PROFILE_THREAD_H

#include "debug/live_table.h"
#include "debug/stack_table.h"

struct profile_thread {
    /* While no thread has the record: the distance of the one that had it (profile.h). */
    int64_t distance;
    /* The mean with which it was drawn, and the one of the sample that is being taken. */
    uint64_t mean, taken_mean;
    uint64_t random; /* 0 before the first draw */
    /* The chunk that was noted last, if no later call is known of; 0 otherwise. */
    uintptr_t last;
    int64_t last_distance;
    /* The chunk that realloc() is working on, if it is noted: taken out of the table meanwhile. */
    struct live_chunk moving;
    /* In a record; the next thread that has this takes it over. */
    struct stack_last *stack;
    uint32_t thread; /* the kernel's number, 0 if not asked for yet */
    /* True while a call is being noted. */
    bool noting;
    /* True if the next chunk that the thread gets is a sample. */
    bool pending;
    /*
     * True if a thread has the record. Any thread that needs one sets it, by an exchange with
     * acquire, and its thread clears it with release.
     */
    _Alignas(64) _Atomic bool taken;
};

/* The record of a thread that has none. */
extern const struct profile_thread profile_none;
#define PROFILE_NONE ((struct profile_thread *)&profile_none)

extern _Thread_local struct profile_thread *profile_self;

/* Returns the thread's record, which it gets if it has none; or PROFILE_NONE without memory. */
struct profile_thread *profile_thread_get(void);

/* Called when a thread ends. */
void profile_thread_end(void);

/* Runs in the child of a fork. Takes back the records of threads that do not exist any more. */
void profile_thread_after_fork(void);

#endif
