/*
 * The kernel calls. Every mapping of memory has the same protection and flags, so that the kernel merges
 * neighbours into one VMA: a process may hold a hundred thousand LARGE chunks and stay below its limit.
 */
#define _GNU_SOURCE 1 // NOLINT: the C library asks for this name
#include "os/os.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Written by any thread, relaxed: they are only ever read for statistics. */
static _Atomic uint64_t mmap_calls, munmap_calls;
#ifdef FT_MALLOC_COUNT_RMW
static _Atomic uint64_t rmw_count;

void os_count_rmw(void)
{
    atomic_fetch_add_explicit(&rmw_count, 1, memory_order_relaxed);
}
#endif

#ifdef FT_MALLOC_PREFIXED
static _Atomic unsigned long fail_countdown;
static _Atomic bool fail_sticky;

void os_fail_after(unsigned long n, bool sticky)
{
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_countdown, n);
}

static bool fault_due(void)
{
    unsigned long left = atomic_load(&fail_countdown);

    while (left > 0) {
        if (left == 1 && atomic_load(&fail_sticky))
            return true;
        if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1))
            return left == 1;
    }
    return false;
}
#else
static inline bool fault_due(void)
{
    return false;
}
#endif

static void *map(void *address, size_t size, int protection, int flags)
{
    int saved_errno = errno;
    void *mapping = MAP_FAILED;

    atomic_fetch_add_explicit(&mmap_calls, 1, memory_order_relaxed);
    if (!fault_due())
        mapping = mmap(address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    errno = saved_errno;
    return mapping == MAP_FAILED ? NULL : mapping;
}

void *os_map(size_t size)
{
    return map(NULL, size, PROT_READ | PROT_WRITE, 0);
}

bool os_map_at(void *address, size_t size)
{
    /* A hint, not MAP_FIXED: whatever is mapped there already stays untouched. */
    void *mapping = map(address, size, PROT_READ | PROT_WRITE, 0);

    if (mapping == address)
        return true;
    if (mapping != NULL)
        os_unmap(mapping, size);
    return false;
}

void *os_map_aligned(size_t size, size_t align)
{
    char *mapping, *aligned;
    size_t padded = size + align - os_page_size();

    if (padded < size)
        return NULL;
    mapping = os_map(padded);
    if (mapping == NULL)
        return NULL;
    /* If the kernel refuses to cut, the surplus stays mapped and untouched: address space, not memory. */
    aligned = (char *)round_up((uintptr_t)mapping, align);
    if (aligned > mapping)
        os_unmap(mapping, (size_t)(aligned - mapping));
    if (aligned + size < mapping + padded)
        os_unmap(aligned + size, (size_t)(mapping + padded - (aligned + size)));
    return aligned;
}

void *os_reserve(size_t size)
{
    return map(NULL, size, PROT_NONE, MAP_NORESERVE);
}

bool os_renew(void *address, size_t size)
{
    return map(address, size, PROT_READ | PROT_WRITE, MAP_FIXED) != NULL;
}

void *os_map_guarded(size_t size)
{
    size_t page = os_page_size();
    char *reserved = size > SIZE_MAX - 2 * page ? NULL : os_reserve(size + 2 * page);

    if (reserved == NULL)
        return NULL;
    if (os_renew(reserved + page, size))
        return reserved + page;
    /* What was between them may be a hole now, and is not ours. */
    os_unmap(reserved, page);
    os_unmap(reserved + page + size, page);
    return NULL;
}

bool os_unmap_guarded(void *address, size_t size)
{
    size_t page = os_page_size();

    return os_unmap((char *)address - page, size + 2 * page);
}

bool os_unmap(void *address, size_t size)
{
    int saved_errno = errno;
    bool done;

    atomic_fetch_add_explicit(&munmap_calls, 1, memory_order_relaxed);
    done = !fault_due() && munmap(address, size) == 0;
    errno = saved_errno;
    return done;
}

void os_write(int fd, const char *text, size_t length)
{
    int saved_errno = errno;

    while (length > 0) {
        ssize_t written = write(fd, text, length);

        if (written < 0 && errno != EINTR)
            break;
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    errno = saved_errno;
}

_Noreturn void os_abort(void)
{
    sigset_t abort_only = {0};

    /* The first word of a sigset_t holds signals 1 to 64; sigaddset() would be one more import. */
    *(unsigned long *)(void *)&abort_only = 1UL << (SIGABRT - 1);
    pthread_sigmask(SIG_UNBLOCK, &abort_only, NULL);
    pthread_kill(pthread_self(), SIGABRT);
    __builtin_trap();
}

size_t os_page_size(void)
{
    /* x86-64 knows no other size; elsewhere the kernel decides. */
#if defined(__x86_64__)
    return OS_PAGE;
#else
    static _Atomic size_t page_size;
    size_t size = atomic_load_explicit(&page_size, memory_order_relaxed);

    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&page_size, size, memory_order_relaxed);
    }
    return size;
#endif
}

unsigned os_processors(void)
{
    int saved_errno = errno;
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    errno = saved_errno;
    return count > 0 ? (unsigned)count : 1;
}

bool os_address_space_unlimited(void)
{
    int saved_errno = errno;
    struct rlimit limit;
    bool unlimited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;

    errno = saved_errno;
    return unlimited;
}

struct os_counters os_counted(void)
{
    return (struct os_counters){
        .mmap = atomic_load_explicit(&mmap_calls, memory_order_relaxed),
        .munmap = atomic_load_explicit(&munmap_calls, memory_order_relaxed),
#ifdef FT_MALLOC_COUNT_RMW
        .rmw = atomic_load_explicit(&rmw_count, memory_order_relaxed),
#endif
    };
}
