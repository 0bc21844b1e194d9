#include "last_walk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

/* Only a pointer: the C library takes a thread's TLS from its stack. */
static _Thread_local struct last_walk *own;
/* Whether the thread has none: it is ending, or there was no memory. */
static _Thread_local bool without;

static pthread_key_t key;
static bool has_key;

static void end_thread(void *last)
{
    without = true;
    own = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    (void)munmap(last, sizeof(struct last_walk));
}

void last_walk_begin(void)
{
    has_key = pthread_key_create(&key, end_thread) == 0;
}

static __attribute__((noinline)) struct last_walk *make(void)
{
    void *memory;

    /* What is allocated here is not walked for. */
    without = true;
    if (!has_key)
        return NULL;
    memory = mmap(NULL, sizeof(struct last_walk), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (pthread_setspecific(key, memory) != 0) {
        (void)munmap(memory, sizeof(struct last_walk));
        return NULL;
    }
    without = false;
    return own = memory;
}

struct last_walk *last_walk_get(void)
{
    return own != NULL || without ? own : make();
}

/* Puts a frame behind the outer ones. What the caller of the outermost needs is not known. */
static void put(struct walked *frames, unsigned outer, const struct walked *fresh)
{
    struct walked *frame = &frames[outer];
    bool caller_needs = outer == 0 || frame[-1].needs_pointer;

    *frame = *fresh;
    frame->needs_pointer =
        frame->by_pointer || (caller_needs && frame->saved == NULL && !frame->first);
    frame->to_check = outer > 0 && (caller_needs || frame[-1].module != frame->module);
}

void last_walk_end(struct last_walk *last, unsigned kept)
{
    unsigned added;

    if (last == NULL)
        return;
    added = last->added;
    /* A signal handler may jump out of a walk, and leave it half done. */
    last->depth = 0;
    atomic_signal_fence(memory_order_seq_cst);
    if (added > NEW_FRAMES)
        return;
    if (kept + added > LAST_FRAMES)
        kept = 0;
    for (unsigned n = added; n-- > 0;)
        put(last->frames, kept++, &last->fresh[n]);
    atomic_signal_fence(memory_order_seq_cst);
    last->depth = kept;
}
