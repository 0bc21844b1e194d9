/*
 * Stacks by the unwind tables of all modules, which libgcc reads. It looks a module up without a
 * lock since glibc 2.35.
 */
#include "stack.h"

#include "ft_malloc.h"
#include "os/os.h"

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
#include <unwind.h>

enum { STACK_MOST = 64, LINE_MOST = 1024 };

struct walk {
    /* Frames above this instruction are left out; or, if it is 0, those of these libraries. */
    uintptr_t instruction;
    uintptr_t own, core;
    unsigned lines;
};

/* The address of the instruction that called, so that a last call is told in its own function. */
void stack_write_line(unsigned number, uintptr_t address)
{
    char line[LINE_MOST];
    Dl_info info;
    int length;

    if (dladdr(pointer_to(address), &info) == 0 || info.dli_fname == NULL)
        length = snprintf(line, sizeof line, "    #%u %#zx\n", number, (size_t)address);
    else if (info.dli_sname == NULL)
        length = snprintf(line, sizeof line, "    #%u %#zx (%s+%#zx)\n", number, (size_t)address,
                          info.dli_fname, (size_t)(address - (uintptr_t)info.dli_fbase));
    else
        length =
            snprintf(line, sizeof line, "    #%u %#zx %s+%#zx (%s+%#zx)\n", number, (size_t)address,
                     info.dli_sname, (size_t)(address - (uintptr_t)info.dli_saddr), info.dli_fname,
                     (size_t)(address - (uintptr_t)info.dli_fbase));
    if (length >= LINE_MOST)
        length = LINE_MOST - 1;
    if (length > 0)
        (void)!write(STDERR_FILENO, line, (size_t)length);
}

static uintptr_t module_of(uintptr_t address)
{
    Dl_info info;

    return dladdr(pointer_to(address), &info) != 0 ? (uintptr_t)info.dli_fbase : 0;
}

static _Unwind_Reason_Code write_frame(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    int exact = 0;
    uintptr_t address = _Unwind_GetIPInfo(context, &exact), module;

    if (address == 0)
        return _URC_NO_REASON;
    if (!exact)
        address--;
    module = module_of(address);
    if (walk->lines == 0 && walk->instruction != 0 && address != walk->instruction)
        return _URC_NO_REASON;
    if (walk->lines == 0 && walk->instruction == 0 && module != 0 &&
        (module == walk->own || module == walk->core))
        return _URC_NO_REASON;
    stack_write_line(walk->lines++, address);
    return walk->lines < STACK_MOST ? _URC_NO_REASON : _URC_END_OF_STACK;
}

#pragma weak ft_malloc_bounds

static void write_head(void)
{
    char line[LINE_MOST];
    int length = snprintf(line, sizeof line, "  called by thread %d:\n", (int)gettid());

    if (length > 0)
        (void)!write(STDERR_FILENO, line, (size_t)length);
}

void stack_write(void)
{
    struct walk walk = {.own = module_of((uintptr_t)stack_write),
                        .core = module_of((uintptr_t)ft_malloc_bounds)};

    write_head();
    (void)_Unwind_Backtrace(write_frame, &walk);
}

void stack_write_from(uintptr_t instruction)
{
    struct walk walk = {.instruction = instruction};

    write_head();
    (void)_Unwind_Backtrace(write_frame, &walk);
    if (walk.lines == 0)
        stack_write_line(0, instruction);
}
