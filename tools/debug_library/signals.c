/*
 * The program's wishes for signals that this library has taken. They are atomic words, because a
 * signal handler may call sigaction(), and may be interrupted by a fault.
 */
#include "signals.h"
#include "checked.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

CHECKED_API int checked_sigaction(int, const struct sigaction *, struct sigaction *)
    CHECKED_NAME(sigaction);
CHECKED_API int checked_sigaction_2(int, const struct sigaction *, struct sigaction *)
    CHECKED_NAME(__sigaction);
CHECKED_API sighandler_t checked_signal(int, sighandler_t) CHECKED_NAME(signal);

typedef int sigaction_function(int number, const struct sigaction *action, struct sigaction *old);
typedef sighandler_t signal_function(int number, sighandler_t handler);

/*
 * All relaxed: whoever installs a handler while another thread faults has no order to rely on. The
 * mask has a bit for each of the 64 signals.
 */
static struct wish {
    _Atomic bool taken;
    _Atomic(sighandler_t) handler;
    _Atomic int flags;
    _Atomic uint64_t mask;
} wishes[NSIG];

static uint64_t mask_of(const sigset_t *set)
{
    uint64_t mask = 0;

    for (int number = 1; number < 64; number++)
        if (sigismember(set, number) == 1)
            mask |= UINT64_C(1) << number;
    return mask;
}

static void set_mask(sigset_t *set, uint64_t mask)
{
    (void)sigemptyset(set);
    for (int number = 1; number < 64; number++)
        if (mask >> number & 1)
            (void)sigaddset(set, number);
}

static void keep(struct wish *wish, const struct sigaction *action)
{
    atomic_store_explicit(&wish->mask, mask_of(&action->sa_mask), memory_order_relaxed);
    atomic_store_explicit(&wish->flags, action->sa_flags, memory_order_relaxed);
    atomic_store_explicit(&wish->handler, action->sa_handler, memory_order_relaxed);
}

static void tell(struct wish *wish, struct sigaction *action)
{
    *action =
        (struct sigaction){.sa_flags = atomic_load_explicit(&wish->flags, memory_order_relaxed)};
    action->sa_handler = atomic_load_explicit(&wish->handler, memory_order_relaxed);
    set_mask(&action->sa_mask, atomic_load_explicit(&wish->mask, memory_order_relaxed));
}

/* Returns NULL if the signal was not taken. */
static struct wish *wish_for(int number)
{
    if (number <= 0 || number >= NSIG ||
        !atomic_load_explicit(&wishes[number].taken, memory_order_relaxed))
        return NULL;
    return &wishes[number];
}

static int real_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    sigaction_function *function;

    *(void **)&function = dlsym(RTLD_NEXT, "sigaction");
    return function(number, action, old);
}

int checked_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    struct wish *wish = wish_for(number);
    struct sigaction new;

    if (wish == NULL)
        return real_sigaction(number, action, old);
    /* They may be the same structure. */
    if (action != NULL)
        new = *action;
    if (old != NULL)
        tell(wish, old);
    if (action != NULL)
        keep(wish, &new);
    return 0;
}

int checked_sigaction_2(int number, const struct sigaction *action, struct sigaction *old)
{
    return checked_sigaction(number, action, old);
}

sighandler_t checked_signal(int number, sighandler_t handler)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    signal_function *function;

    if (wish_for(number) != NULL)
        return checked_sigaction(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
    *(void **)&function = dlsym(RTLD_NEXT, "signal");
    return function(number, handler);
}

void signals_take(int number, signal_handler *handler)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART}, old;

    action.sa_sigaction = handler;
    if (real_sigaction(number, NULL, &old) != 0)
        return;
    keep(&wishes[number], &old);
    atomic_store_explicit(&wishes[number].taken, true, memory_order_relaxed);
    (void)real_sigaction(number, &action, NULL);
}

bool signals_are_handled(int number)
{
    sighandler_t handler = atomic_load_explicit(&wishes[number].handler, memory_order_relaxed);

    return handler != SIG_DFL && handler != SIG_IGN;
}

static void do_default(int number, const siginfo_t *info)
{
    struct sigaction action = {.sa_handler = SIG_DFL};

    (void)real_sigaction(number, &action, NULL);
    if (info->si_code <= 0)
        (void)raise(number); /* somebody sent it */
}

void signals_pass_on(int number, siginfo_t *info, void *context)
{
    struct wish *wish = &wishes[number];
    struct sigaction action;
    sigset_t before;

    tell(wish, &action);
    /* The kernel does not let a fault be ignored either. */
    if (action.sa_handler == SIG_IGN && info->si_code <= 0)
        return;
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
        do_default(number, info);
        return;
    }
    if ((action.sa_flags & SA_RESETHAND) != 0)
        atomic_store_explicit(&wish->handler, SIG_DFL, memory_order_relaxed);
    if ((action.sa_flags & SA_NODEFER) == 0)
        (void)sigaddset(&action.sa_mask, number);
    (void)pthread_sigmask(SIG_BLOCK, &action.sa_mask, &before);
    if ((action.sa_flags & SA_SIGINFO) != 0)
        action.sa_sigaction(number, info, context);
    else
        action.sa_handler(number);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}
