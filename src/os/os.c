/*
 * The kernel calls. Every mapping of memory has the same protection and flags, so that the kernel
 * merges neighbours into one VMA: a process may hold a hundred thousand LARGE chunks and stay below
 * its limit.
 */
#include "os/os.h"

#include "os/kernel.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
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
    return map(NULL, size, PROT_READ | PROT_WRITE, 0);
}

/*
 * Mappings of ours that are in the wrong place and that the kernel would not take back: at its
 * limit of mappings, none may be cut in two. Each has its size in itself and waits for the next
 * request that could leave another one.
 */
struct unwanted {
    struct unwanted *next;
    size_t size;
};

static _Atomic(struct unwanted *) unwanted;

static void unmap_or_keep(void *address, size_t size)
{
    struct unwanted *mapping = address;

    if (os_unmap(address, size))
        return;
    mapping->size = size;
    mapping->next =
        atomic_load_explicit(&unwanted, memory_order_relaxed); /* checked by the exchange */
    /* Release: who takes the list finds the sizes. */
    while (!atomic_compare_exchange_weak_explicit(&unwanted, &mapping->next, mapping,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

/* False when there are still some: then no more must be risked. */
static bool unwanted_gone(void)
{
    struct unwanted *next;

    if (likely(atomic_load_explicit(&unwanted, memory_order_relaxed) ==
               NULL)) /* it is read below */
        return true;
    for (struct unwanted *mapping = atomic_exchange_explicit(&unwanted, NULL, memory_order_acquire);
         mapping != NULL; mapping = next) {
        next = mapping->next;
        unmap_or_keep(mapping, mapping->size);
    }
    return atomic_load_explicit(&unwanted, memory_order_relaxed) == NULL;
}

bool os_map_at(void *address, size_t size)
{
    void *mapping;

    if (!unwanted_gone())
        return false;
    /* A hint, not MAP_FIXED: whatever is mapped there already stays untouched. */
    mapping = map(address, size, PROT_READ | PROT_WRITE, 0);
    if (mapping != NULL && mapping != address)
        unmap_or_keep(mapping, size);
    return mapping != NULL && mapping == address;
}

/* With a surplus that is cut off again. */
static char *map_padded(size_t size, size_t before, size_t align)
{
    size_t padded = size + align - os_page_size();
    char *mapping = padded < size ? NULL : os_map(padded);
    char *placed;

    if (mapping == NULL)
        return NULL;
    placed = (char *)round_up((uintptr_t)mapping + before, align) - before;
    if (placed > mapping)
        unmap_or_keep(mapping, (size_t)(placed - mapping));
    if (placed + size < mapping + padded)
        unmap_or_keep(placed + size, (size_t)(mapping + padded - (placed + size)));
    return placed;
}

/*
 * A mapping in which the byte number `before` lies at a multiple of `align`. The kernel says where
 * it has room; the next such place below is mostly free, and then the surplus is not needed, for
 * which there may be no room.
 */
static char *map_placed(size_t size, size_t before, size_t align)
{
    enum { TRIES = 4 };
    char *mapping = unwanted_gone() ? os_map(size) : NULL;
    uintptr_t below = ((uintptr_t)mapping + before) & ~(align - 1);

    if (mapping == NULL || (uintptr_t)mapping + before == below)
        return mapping;
    unmap_or_keep(mapping, size);
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
    return map(address, size, PROT_NONE, MAP_FIXED | MAP_NORESERVE) != NULL;
}

/*
 * Makes the first page and the last `after` bytes of a mapping guards. A guard that cannot be made
 * may be a hole: it is not ours any more, but all else is, and goes.
 */
static void *between_guards(char *mapping, size_t size, size_t after)
{
    char *memory = mapping + os_page_size();

    if (!os_forbid(memory + size, after)) {
        unmap_or_keep(mapping, os_page_size() + size);
        return NULL;
    }
    if (!os_forbid(mapping, os_page_size())) {
        unmap_or_keep(memory, size + after);
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

void *os_map_guarded_at(uintptr_t address, size_t size, size_t after)
{
    char *mapping = pointer_to(address - os_page_size());

    return os_map_at(mapping, os_page_size() + size + after) ? between_guards(mapping, size, after)
                                                             : NULL;
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
    return map(NULL, size, PROT_NONE, MAP_NORESERVE);
}

void *os_reserve_near(void *address, size_t size)
{
    return map(address, size, PROT_NONE, MAP_NORESERVE | MAP_FIXED_NOREPLACE);
}

bool os_renew(void *address, size_t size)
{
    return map(address, size, PROT_READ | PROT_WRITE, MAP_FIXED) != NULL;
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

void os_write(int fd, const char *text, size_t length)
{
    int saved_errno = errno, cancel_state;

    /* write() is a point where a thread can be cancelled: what its callers hold would stay held. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    while (length > 0) {
        ssize_t written = write(fd, text, length);

        if (written < 0 && errno != EINTR)
            break;
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    pthread_setcancelstate(cancel_state, &cancel_state);
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

#ifndef FT_OS_PAGE_CONSTANT
size_t os_page_size(void)
{
    static _Atomic size_t page_size;
    size_t size =
        atomic_load_explicit(&page_size, memory_order_relaxed); /* all who ask find the same */

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
