/*
 * SIGSEGV and SIGBUS. A fault at a guard or in a freed chunk is worded by libft_malloc.so. Then the
 * signal takes the way that it would have taken: to the program's own handler, or to the end of the
 * process, with a core file of the instruction that faulted.
 *
 * The handler uses the alternate stack if the thread has one, because the stack may have
 * overflowed. The wording may take more room than that has. Then it is done below the frame that
 * faulted.
 */
#include "fault.h"
#include "checked.h"
#include "connect.h"
#include "signals.h"
#include "stack.h"

#include "debug/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>
#if defined(__aarch64__)
#include <asm/sigcontext.h>
#endif

#pragma weak ft_malloc_report_fault

enum { WORDING_ROOM = 64 << 10, RED_ZONE = 256 };

/* True while this thread words a fault. Another one meanwhile is passed on at once. */
static _Thread_local volatile bool wording;

static uintptr_t pc_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#else
    return (uintptr_t)context->uc_mcontext.pc;
#endif
}

static uintptr_t sp_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#else
    return (uintptr_t)context->uc_mcontext.sp;
#endif
}

static enum ft_malloc_fault_access access_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    enum { PAGE_FAULT = 14, WRITE_BIT = 2 };

    if (context->uc_mcontext.gregs[REG_TRAPNO] != PAGE_FAULT)
        return FT_MALLOC_FAULT_UNKNOWN;
    return context->uc_mcontext.gregs[REG_ERR] & WRITE_BIT ? FT_MALLOC_FAULT_WRITE
                                                           : FT_MALLOC_FAULT_READ;
#else
    enum { WRITE_BIT = 1 << 6 };
    const char *at = (const char *)context->uc_mcontext.__reserved;
    const char *end = at + sizeof context->uc_mcontext.__reserved;

    /* The kernel appends records to the registers; one of them is the syndrome of the fault. */
    while (at + sizeof(struct esr_context) <= end) {
        const struct _aarch64_ctx *head = (const void *)at;

        if (head->magic == ESR_MAGIC)
            return ((const struct esr_context *)(const void *)at)->esr & WRITE_BIT
                       ? FT_MALLOC_FAULT_WRITE
                       : FT_MALLOC_FAULT_READ;
        if (head->magic == 0 || head->size == 0)
            break;
        at += head->size;
    }
    return FT_MALLOC_FAULT_UNKNOWN;
#endif
}

/* What a fault is worded from. */
struct faulted {
    int number;
    const siginfo_t *info;
    const ucontext_t *context;
    ucontext_t handler; /* where the wording returns to, if it is done on another stack */
};

static void write_stack(void *context)
{
    stack_write_from(pc_of(context));
}

static void word(const struct faulted *faulted)
{
    const struct ft_malloc_fault fault = {
        .size = sizeof fault,
        .signal = faulted->number == SIGBUS ? "SIGBUS" : "SIGSEGV",
        .address = faulted->info->si_addr,
        .access = access_of(faulted->context),
        .write_stack = write_stack,
        .context = pointer_to((uintptr_t)faulted->context),
    };

    (void)ft_malloc_report_fault(&fault);
}

/* makecontext() passes only numbers of the size of int. */
static void word_on_stack(unsigned high, unsigned low)
{
    word(pointer_to((uintptr_t)high << 32 | low));
}

static void word_below_frame(struct faulted *faulted)
{
    uintptr_t self = (uintptr_t)faulted, top = sp_of(faulted->context) - RED_ZONE;
    ucontext_t below;

    if (getcontext(&below) != 0)
        return;
    below.uc_stack.ss_sp = pointer_to(top - WORDING_ROOM);
    below.uc_stack.ss_size = WORDING_ROOM;
    below.uc_link = &faulted->handler;
    // NOLINTNEXTLINE: the type that makecontext() wants
    makecontext(&below, (void (*)(void))word_on_stack, 2, (unsigned)(self >> 32), (unsigned)self);
    (void)swapcontext(&faulted->handler, &below);
}

/* Whether the handler runs on an alternate stack that is too small for the wording. */
static bool on_small_stack(void)
{
    stack_t stack;

    return sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_ONSTACK) != 0 &&
           stack.ss_size < WORDING_ROOM;
}

/* Near the stack pointer it is an overflow of the stack, and below it there is no room. */
static bool is_stack_overflow(const siginfo_t *info, const ucontext_t *context)
{
    return (uintptr_t)info->si_addr - (sp_of(context) - WORDING_ROOM) < 2 * (uintptr_t)WORDING_ROOM;
}

static void handle(int number, siginfo_t *info, void *context)
{
    struct faulted faulted = {.number = number, .info = info, .context = context};
    int saved_errno = errno;

    if (info->si_code > 0 && !wording && !checked_is_core(pointer_to(pc_of(context))) &&
        !is_stack_overflow(info, context)) {
        wording = true;
        if (on_small_stack())
            word_below_frame(&faulted);
        else
            word(&faulted);
        wording = false;
    }
    if (!signals_are_handled(number))
        connect_crash();
    errno = saved_errno;
    signals_pass_on(number, info, context);
}

void fault_begin(void)
{
    if (ft_malloc_report_fault == NULL)
        return;
    signals_take(SIGSEGV, handle);
    signals_take(SIGBUS, handle);
}
