/*
 * The mailbox: how another process sets an option of this one while it runs. `ft_malloc_layout`
 * tells where it is. The other process
 *
 *   1. reads `request`, and looks whether `answered` is equal to it: if not, another request waits;
 *   2. writes the text "NAME=VALUE" with a 0 behind it to `text`, or "NAME" to ask for the value;
 *   3. writes `request`, in one write of 8 bytes: in its upper half the old number plus 1, in its
 *      lower half the hash of the text (control_hash());
 *   4. waits until `answered` is equal to `request`, and then reads `error`, 0 or an errno, and
 *      `answer`: the value of the option, or why it was not set.
 *
 * This process looks in its slow calls, so one that makes no calls does not answer. The hash makes
 * sure that it takes a text as a whole. Two processes that write at the same time may lose a
 * request, so they have to agree on turns.
 */
#ifndef FT_BASE_CONTROL_H
#define FT_BASE_CONTROL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONTROL_TEXT = 120, CONTROL_ANSWER = 120 };

struct control {
    /*
     * Written from outside, with the kernel's ordering of system calls; read by any thread with
     * acquire before the text is.
     */
    _Atomic uint64_t request;
    /* Written with release by the thread that has answered, with the modes' lock. */
    _Atomic uint64_t answered;
    int32_t error;
    int32_t unused;
    char text[CONTROL_TEXT];
    char answer[CONTROL_ANSWER];
};

extern struct control control;

/*
 * What to call when there is a request; the caller holds no lock. Set when the library is loaded.
 */
extern void (*control_serve)(void);

/* Returns whether there is a request. Relaxed: who serves it looks again. */
static inline bool control_due(void)
{
    return __builtin_expect(atomic_load_explicit(&control.request, memory_order_relaxed) !=
                                atomic_load_explicit(&control.answered, memory_order_relaxed),
                            0);
}

/* Answers a request if there is one. Called in slow calls, by a thread that holds no lock. */
static inline void control_poll(void)
{
    if (control_due() && control_serve != NULL)
        control_serve();
}

/* Returns the hash of a text, FNV-1a, as 32 bits. */
uint32_t control_hash(const char *text);

#endif
