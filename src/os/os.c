/*
 * The kernel calls. Every mapping of memory has the same protection and flags, so that the kernel
 * merges neighbours into one VMA. A process may hold a hundred thousand LARGE chunks and still stay
 * below its limit of mappings.
 */
#include "os/os.h"

#include "os/kernel.h"
#include "os/unwanted.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* Written by any thread; relaxed, because they are only figures for the statistics. */
OS_TOUCHED static _Atomic uint64_t mmap_calls, munmap_calls;
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

static void *map_private(void *address, size_t size, int protection, int flags)
{
    int saved_errno = errno;
    void *mapping = MAP_FAILED;

    atomic_fetch_add_explicit(&mmap_calls, 1, memory_order_relaxed);
    if (!fault_due()) {
        mapping = os_kernel_map(address, size, protection, flags);
        if (unlikely(mapping == MAP_FAILED) && errno == ENOMEM)
            os_note_refusal(size);
    }
    errno = saved_errno;
    return mapping == MAP_FAILED ? NULL : mapping;
}

void *os_map(size_t size)
{
    return map_private(NULL, size, PROT_READ | PROT_WRITE, 0);
}

bool os_map_at(void *address, size_t size)
{
    void *mapping;

    if (!unwanted_gone())
        return false;
    /* The address is a hint, without MAP_FIXED, so whatever is mapped there already stays. */
    mapping = map_private(address, size, PROT_READ | PROT_WRITE, 0);
    if (mapping != NULL && mapping != address)
        unwanted_unmap(mapping, size);
    return mapping != NULL && mapping == address;
}

/* Maps more than needed and cuts the surplus off again. */
static char *map_padded(size_t size, size_t before, size_t align)
{
    size_t padded = size + align - os_page_size();
    char *mapping = padded < size ? NULL : os_map(padded);
    char *placed;

    if (mapping == NULL)
        return NULL;
    placed = pointer_to(round_up((uintptr_t)mapping + before, align) - before);
    if (placed > mapping)
        unwanted_unmap(mapping, (size_t)(placed - mapping));
    if (placed + size < mapping + padded)
        unwanted_unmap(placed + size, (size_t)(mapping + padded - (placed + size)));
    return placed;
}

/*
 * Returns a mapping whose byte number `before` lies at a multiple of `align`. First maps `size`
 * bytes wherever the kernel has room, then tries the next such places below, which are usually
 * free. Only then maps with a surplus, for which there may be no room.
 */
static char *map_placed(size_t size, size_t before, size_t align)
{
    enum { TRIES = 4 };
    char *mapping = unwanted_gone() ? os_map(size) : NULL;
    uintptr_t below = ((uintptr_t)mapping + before) & ~(align - 1);

    if (mapping == NULL || (uintptr_t)mapping + before == below)
        return mapping;
    unwanted_unmap(mapping, size);
    for (unsigned tries = 0; tries < TRIES && below > before; tries++, below -= align) {
        mapping = pointer_to(below - before);
        if (os_map_at(mapping, size))
            return mapping;
        if (below <= align)
            break;
    }
    return map_padded(size, before, align);
}

void *os_map_aligned(size_t size, size_t align)
{
    return map_placed(size, 0, align);
}

bool os_forbid(void *address, size_t size)
{
    return map_private(address, size, PROT_NONE, MAP_FIXED | MAP_NORESERVE) != NULL;
}

bool os_make_readable(void *address, size_t size)
{
    return map_private(address, size, PROT_READ, MAP_FIXED | MAP_NORESERVE) != NULL;
}

void os_fill_hole(void *address, size_t size)
{
    void *zeros = map_private(address, size, PROT_READ, MAP_NORESERVE | MAP_FIXED_NOREPLACE);

    /* An older kernel takes the address for a hint. */
    if (zeros != NULL && zeros != address)
        unwanted_unmap(zeros, size);
}

/*
 * Turns the first page and the last `after` bytes of a mapping into guards. If that fails for one
 * of them, its place may be a hole, which is not ours any more; everything else is unmapped.
 */
static void *between_guards(char *mapping, size_t size, size_t after)
{
    char *memory = mapping + os_page_size();

    if (!os_forbid(memory + size, after)) {
        unwanted_unmap(mapping, os_page_size() + size);
        return NULL;
    }
    if (!os_forbid(mapping, os_page_size())) {
        unwanted_unmap(memory, size + after);
        return NULL;
    }
    return memory;
}

void *os_map_guarded_aligned(size_t size, size_t after, size_t align)
{
    size_t page = os_page_size(), around = page + after;
    char *mapping = size > SIZE_MAX - around ? NULL : map_placed(size + around, page, align);

    return mapping == NULL ? NULL : between_guards(mapping, size, after);
}

/* Reserves the range if the kernel has no mapping there. */
static bool reserve_at(void *address, size_t size)
{
    void *space = os_reserve_near(address, size);

    if (space != NULL && space != address)
        unwanted_unmap_space(space, size);
    return space != NULL && space == address;
}

/*
 * The memory comes first, so that the call that a lack of memory refuses is one that changes
 * nothing.
 */
void *os_map_guarded_at(uintptr_t address, size_t size, size_t after)
{
    char *memory = pointer_to(address), *mapping = memory - os_page_size();

    if (!os_map_at(mapping, os_page_size() + size))
        return NULL;
    if (!reserve_at(memory + size, after)) {
        unwanted_unmap(mapping, os_page_size() + size);
        return NULL;
    }
    if (!os_forbid(mapping, os_page_size())) {
        unwanted_unmap(memory, size + after);
        return NULL;
    }
    return memory;
}

uintptr_t os_find_place(size_t size, size_t before, size_t align)
{
    size_t padded = size + align - os_page_size();
    uintptr_t space = unwanted_gone() ? (uintptr_t)os_reserve(padded) : 0;

    if (space == 0 || !unwanted_unmap_space(pointer_to(space), padded))
        return 0;
    /* The kernel maps downward, so at the upper end the rest stays in one piece. */
    return ((space + padded - size + before) & ~(align - 1)) - before;
}

bool os_has_room(size_t size)
{
    void *mapping = unwanted_gone() ? os_map(size) : NULL;

    if (mapping != NULL)
        unwanted_unmap(mapping, size);
    return mapping != NULL;
}

void *os_map_guarded(size_t size)
{
    return os_map_guarded_aligned(size, os_page_size(), os_page_size());
}

bool os_unmap_guarded(void *address, size_t size)
{
    return os_unmap((char *)address - os_page_size(), size + 2 * os_page_size());
}

void *os_reserve(size_t size)
{
    return map_private(NULL, size, PROT_NONE, MAP_NORESERVE);
}

void *os_reserve_near(void *address, size_t size)
{
    return map_private(address, size, PROT_NONE, MAP_NORESERVE | MAP_FIXED_NOREPLACE);
}

bool os_renew(void *address, size_t size)
{
    return map_private(address, size, PROT_READ | PROT_WRITE, MAP_FIXED) != NULL;
}

bool os_unmap(void *address, size_t size)
{
    int saved_errno = errno;
    bool done;

    atomic_fetch_add_explicit(&munmap_calls, 1, memory_order_relaxed);
    done = !fault_due() && os_kernel_unmap(address, size) == 0;
    errno = saved_errno;
    return done;
}

int os_write_some(int fd, const char *text, size_t length, size_t *done)
{
    int saved_errno = errno, cancel_state, error = 0;

    *done = 0;

    /*
     * write() is a cancellation point. If the thread were cancelled here, locks that its callers
     * hold would stay locked.
     */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    while (*done < length) {
        ssize_t written = write(fd, text + *done, length - *done);

        if (written < 0 && errno != EINTR) {
            error = errno;
            break;
        }
        if (written > 0)
            *done += (size_t)written;
    }
    pthread_setcancelstate(cancel_state, &cancel_state);
    errno = saved_errno;
    return error;
}

int os_write(int fd, const char *text, size_t length)
{
    size_t done;

    return os_write_some(fd, text, length, &done);
}

_Noreturn void os_abort(void)
{
    sigset_t abort_only = {0};

    /* The first word of a sigset_t holds signals 1 to 64. sigaddset() would be one more import. */
    *(unsigned long *)(void *)&abort_only = 1UL << (SIGABRT - 1);
    pthread_sigmask(SIG_UNBLOCK, &abort_only, NULL);
    pthread_kill(pthread_self(), SIGABRT);
    __builtin_trap();
}

#ifndef FT_OS_PAGE_CONSTANT
size_t os_page_size(void)
{
    static _Atomic size_t page_size;
    /* Relaxed: every thread computes the same value. */
    size_t size = atomic_load_explicit(&page_size, memory_order_relaxed);

    if (size == 0) {
        size = os_kernel_page();
        atomic_store_explicit(&page_size, size, memory_order_relaxed);
    }
    return size;
}
#endif

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
