/*
 * What the kernel says about the process: where it laid the environment, the process's limits, and
 * how many processors it may use. Asked once, early, because a sandbox may forbid these questions
 * later.
 */
#include "os/os.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

/*
 * Written by the first call that allocates. Any thread whose mapping is refused also writes the
 * limit; relaxed, because it is only a figure.
 */
static _Atomic size_t memory_limit = SIZE_MAX;
static unsigned processors = 1;

/*
 * Upward from the initial thread's stack pointer, the kernel lays: argc, the arguments, NULL, the
 * environment, NULL, the auxiliary vector. Everything between a frame of this thread and the
 * environment is stack, so it can be read. AddressSanitizer has gaps between a frame's variables,
 * which this function must be allowed to read.
 */
__attribute__((no_sanitize("address"))) char **os_kernel_environment(char **environment)
{
    enum { FAR = 1 << 26 };
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    uintptr_t *before = (uintptr_t *)(void *)environment;

    if ((uintptr_t)environment <= frame || (uintptr_t)environment - frame > FAR || *--before != 0)
        return NULL;
    for (uintptr_t arguments = 0; (uintptr_t)--before > frame && *before != 0; arguments++)
        if (arguments > 0 && *before == arguments)
            return environment;
    return NULL;
}

unsigned long os_auxiliary(char **environment, unsigned long type)
{
    const Elf64_auxv_t *entry;

    while (*environment != NULL)
        environment++;
    for (entry = (const Elf64_auxv_t *)(const void *)(environment + 1); entry->a_type != AT_NULL;
         entry++)
        if (entry->a_type == type)
            return entry->a_un.a_val;
    return 0;
}

static rlim_t limit_of(int resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : 0;
}

/* Counts the processors that this thread may run on, as the C library's malloc does. */
static unsigned count_processors(void)
{
    enum { SETS = 8 };
    cpu_set_t sets[SETS];
    const unsigned long *words = (const unsigned long *)(const void *)sets;
    unsigned count = 0;

    if (pthread_getaffinity_np(pthread_self(), sizeof sets, sets) != 0)
        return 1;
    for (size_t word = 0; word < sizeof sets / (sizeof *words); word++)
        count += (unsigned)__builtin_popcountl(words[word]);
    return count > 0 ? count : 1;
}

void os_look_at_process(void)
{
    int saved_errno = errno;
    rlim_t space = limit_of(RLIMIT_AS), data = limit_of(RLIMIT_DATA);

    static_assert(RLIM_INFINITY == SIZE_MAX, "the lower one is a limit, if there is one");
    atomic_store_explicit(&memory_limit, space < data ? space : data, memory_order_relaxed);
    processors = count_processors();
    errno = saved_errno;
}

unsigned os_processors(void)
{
    return processors;
}

size_t os_memory_limit(void)
{
    return atomic_load_explicit(&memory_limit, memory_order_relaxed);
}

void os_note_refusal(size_t size)
{
    /* Larger mappings are refused even without a limit: a program may ask for any size. */
    static const size_t moderate = (size_t)64 << 20, small = (size_t)128 << 20;

    if (size <= moderate && os_memory_limit() > small)
        atomic_store_explicit(&memory_limit, small, memory_order_relaxed);
}
