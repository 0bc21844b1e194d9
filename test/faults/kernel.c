/*
 * mmap and munmap as the linker's --wrap option passes them to the library under test.
 */
#include "faults/kernel.h"

#include "support/require.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* The linker creates these names. */
void *__real_mmap(void *address, size_t size, int protection, int flags, int file,
                  off_t offset);               // NOLINT
int __real_munmap(void *address, size_t size); // NOLINT
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file,
                  off_t offset);               // NOLINT
int __wrap_munmap(void *address, size_t size); // NOLINT

static struct kernel_plan plan;
static atomic_bool active;
static atomic_bool holes;
static atomic_ulong calls;
static atomic_ulong refused;
static _Thread_local unsigned long refused_here;
static _Thread_local bool exempt_here;

/* Runs before the constructor of the library. */
__attribute__((constructor(101))) static void read_plan(void)
{
    const char *text = getenv(KERNEL_PLAN);
    char *end = NULL;
    if (text == NULL)
        return;
    plan.kinds = (unsigned)strtoul(text, &end, 10);
    plan.first = strtoul(end, &end, 10);
    plan.count = strtoul(end, NULL, 10);
    REQUIRE(plan.kinds != 0 && plan.first != 0 && plan.count != 0, "the plan is \"%s\"", text);
    atomic_store(&active, true);
}

static bool refuses(unsigned kind)
{
    if (exempt_here || !atomic_load(&active) || (plan.kinds & kind) == 0)
        return false;
    unsigned long before = atomic_fetch_add(&calls, 1);
    if (before + 1 < plan.first || before + 1 - plan.first >= plan.count)
        return false;
    atomic_fetch_add(&refused, 1);
    refused_here++;
    return true;
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file,
                  off_t offset) // NOLINT
{
    bool renewal = (flags & MAP_FIXED) != 0;
    if (!refuses(renewal ? KERNEL_RENEW : KERNEL_MAP))
        return __real_mmap(address, size, protection, flags, file, offset);
    if (renewal && (plan.kinds & KERNEL_LEAVE_HOLES) != 0) {
        atomic_store(&holes, true);
        REQUIRE(__real_munmap(address, size) == 0, "cannot make a hole of %zu bytes", size);
    }
    errno = ENOMEM;
    return MAP_FAILED;
}

int __wrap_munmap(void *address, size_t size) // NOLINT
{
    if (!refuses(KERNEL_UNMAP))
        return __real_munmap(address, size);
    errno = ENOMEM;
    return -1;
}

void kernel_obey(void)
{
    atomic_store(&active, false);
}

void kernel_exempt(bool exempt)
{
    exempt_here = exempt;
}

unsigned long kernel_calls(void)
{
    return atomic_load(&calls);
}

unsigned long kernel_refused(void)
{
    return atomic_load(&refused);
}

unsigned long kernel_refused_here(void)
{
    return refused_here;
}

bool kernel_holes(void)
{
    return atomic_load(&holes);
}

bool kernel_refuses(unsigned kind)
{
    return atomic_load(&active) && (plan.kinds & kind) != 0;
}
