/*
 * The operating system, behind a dozen functions: the only part of the library that calls the
 * kernel. Memory comes from mmap and goes back by munmap; nothing else is used. Every function may
 * be called by any thread at any time and keeps errno as it was, success or not.
 */
#ifndef FT_OS_OS_H
#define FT_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The smallest page that there is. What the kernel maps, renews and unmaps is measured by
 * os_page_size().
 */
enum { OS_PAGE_SHIFT = 12, OS_PAGE = 1 << OS_PAGE_SHIFT };

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* Rounds up to a multiple of `unit`, a power of two; the caller excludes overflow. */
static inline size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) & ~(unit - 1);
}

/* The only place where an address becomes a pointer. */
static inline void *pointer_to(uintptr_t address)
{
    return (void *)address; // NOLINT(performance-no-int-to-ptr): see above
}

/*
 * System calls made so far, for the statistics; in a counting build also atomic read-modify-writes,
 * else 0.
 */
struct os_counters {
    uint64_t mmap;
    uint64_t munmap;
    uint64_t rmw;
};

/*
 * One more atomic read-modify-write on a way that chunks go; locking a mutex is one, unlocking it
 * another. Counted in the build for tests and with -DFT_MALLOC_COUNT_RMW, elsewhere nothing.
 */
#if defined(FT_MALLOC_PREFIXED) && !defined(FT_MALLOC_COUNT_RMW)
#define FT_MALLOC_COUNT_RMW
#endif
#ifdef FT_MALLOC_COUNT_RMW
void os_count_rmw(void);
#else
static inline void os_count_rmw(void)
{
}
#endif

/*
 * The size of the kernel's page: 4 KiB on x86-64; 4, 16 or 64 KiB on AArch64, as the kernel was
 * built. The build for tests can pretend that it is larger: see os/kernel.h.
 */
#if defined(__x86_64__) && !defined(FT_MALLOC_PREFIXED)
#define FT_OS_PAGE_CONSTANT
static inline size_t os_page_size(void)
{
    return OS_PAGE;
}
#else
size_t os_page_size(void);
#endif

/* `size` bytes (a multiple of the page) of zero-filled memory, or NULL. */
void *os_map(size_t size);

/*
 * The same, at `address` if the kernel has it free there; else nothing is mapped and false
 * returned.
 */
bool os_map_at(void *address, size_t size);

/* The same as os_map, aligned to `align`, a power of two of at least a page. */
void *os_map_aligned(size_t size, size_t align);

/* Address space without memory behind it, to be committed piece by piece; or NULL. */
void *os_reserve(size_t size);

/*
 * The same as os_map, between guards, pages that nobody may touch: one before it and one behind it.
 * And its end: false when the kernel refuses, and then all of it is still there.
 */
void *os_map_guarded(size_t size);
bool os_unmap_guarded(void *address, size_t size);

/*
 * The same for memory at a multiple of `align`, or at an address, if the kernel has all of it free
 * there; the guard behind it has `after` bytes. They go back by os_unmap(), together with their
 * guards.
 */
void *os_map_guarded_aligned(size_t size, size_t after, size_t align);
void *os_map_guarded_at(uintptr_t address, size_t size, size_t after);

/*
 * Address space at `address` if the kernel has it free there, else elsewhere; or NULL. An older
 * kernel takes the address for a hint, so the caller compares.
 */
void *os_reserve_near(void *address, size_t size);

/*
 * Replaces a range of a mapping of ours by zero-filled memory: commits reserved address space, and
 * gives back the pages of memory in use. On false, the range may have become a hole: it must never
 * be touched nor unmapped again.
 */
bool os_renew(void *address, size_t size);

/*
 * The other way round: what was memory is gone, and nobody may touch its place. On false as above.
 */
bool os_forbid(void *address, size_t size);

/* False when the kernel refuses (its limit of mappings): then the range is as it was. */
bool os_unmap(void *address, size_t size);

/* Writes all of it, whatever it takes; gives up at an error. */
void os_write(int fd, const char *text, size_t length);

/* Stops the process by SIGABRT. */
_Noreturn void os_abort(void);

/*
 * Asks the kernel for the limits and the processors of the process. Called once, early: a sandbox
 * may forbid these questions later.
 */
void os_look_at_process(void);

/* How many processors the process may use. */
unsigned os_processors(void);

/*
 * The lower one of the limits of address space and of data (RLIMIT_AS, RLIMIT_DATA), in bytes, when
 * the process was looked at; SIZE_MAX: there was none. Reserving would use up the first, and get
 * round the second. Since then the kernel may have refused a mapping of a moderate size: then there
 * may be a limit now, and it is taken to be a small one.
 */
size_t os_memory_limit(void);

/* A mapping of so many bytes was refused. */
void os_note_refusal(size_t size);

/*
 * `environment` if it is certain that the kernel laid it on the stack, with the auxiliary vector
 * behind it; else NULL. For the time before our constructor is told where it lies.
 */
char **os_kernel_environment(char **environment);

/*
 * The value of an entry of the auxiliary vector, which the kernel lays behind the initial
 * environment. Returns 0 if there is no such entry.
 */
unsigned long os_auxiliary(char **environment, unsigned long type);

struct os_counters os_counted(void);

#ifdef FT_MALLOC_PREFIXED
/*
 * For tests: the n-th system call for memory from now on fails, and all after it while `sticky`. 0
 * = none.
 */
void os_fail_after(unsigned long n, bool sticky);
#endif

#endif
