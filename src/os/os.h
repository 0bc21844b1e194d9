/*
 * The operating system, behind a dozen functions: the only part of the library that calls the
 * kernel. Memory comes from mmap() and is returned by munmap(); nothing else is used. Any thread
 * may call any function at any time. Each leaves errno as it was, whether it succeeds or not.
 */
#ifndef FT_OS_OS_H
#define FT_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The smallest page of any supported kernel. Ranges that the kernel maps, renews or unmaps are
 * multiples of os_page_size() instead.
 */
enum { OS_PAGE_SHIFT = 12, OS_PAGE = 1 << OS_PAGE_SHIFT };

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/*
 * For small data that every process reads or writes at its start. It is all in one section, so that
 * it takes one page: each page that is touched is memory for as long as the process lives, and some
 * kernels make even a page memory that is only read.
 */
#define OS_TOUCHED __attribute__((section(".data.touched")))

/* Rounds up to a multiple of `unit`, a power of two. The caller excludes overflow. */
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
 * System calls made so far, for the statistics. `rmw` counts atomic read-modify-writes in a
 * counting build, and is 0 otherwise.
 */
struct os_counters {
    uint64_t mmap;
    uint64_t munmap;
    uint64_t rmw;
};

/*
 * Counts one atomic read-modify-write in code that handles chunks. Locking a mutex is one, and
 * unlocking it is another. Counts in the build for tests and with -DFT_MALLOC_COUNT_RMW; does
 * nothing otherwise.
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
 * Returns the size of the kernel's page: 4 KiB on x86-64; 4, 16 or 64 KiB on AArch64, depending on
 * how the kernel was built. The build for tests can pretend that it is larger: see os/kernel.h.
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

/* Returns `size` bytes of zero-filled memory, or NULL. `size` is a multiple of the page. */
void *os_map(size_t size);

/*
 * Maps zero-filled memory at `address` if the kernel has no mapping there. Returns false otherwise,
 * and then nothing is mapped.
 */
bool os_map_at(void *address, size_t size);

/* Like os_map(), but aligned to `align`, a power of two of at least a page. */
void *os_map_aligned(size_t size, size_t align);

/* Returns address space without memory behind it, to be committed piece by piece; or NULL. */
void *os_reserve(size_t size);

/*
 * Like os_map(), but with a guard, a page that cannot be touched, in front of the memory and
 * another behind it. os_unmap_guarded() unmaps the memory and its guards. It returns false if the
 * kernel refuses, and then all of it is still mapped.
 */
void *os_map_guarded(size_t size);
bool os_unmap_guarded(void *address, size_t size);

/*
 * Map guarded memory at a multiple of `align`, or at `address` if the kernel has no mapping in the
 * whole range. The guard in front has one page, the guard behind has `after` bytes. Return NULL on
 * failure. os_unmap() unmaps these, in a range that includes the guards.
 */
void *os_map_guarded_aligned(size_t size, size_t after, size_t align);
void *os_map_guarded_at(uintptr_t address, size_t size, size_t after);

/*
 * Returns an address where the kernel had room for `size` bytes a moment ago, with the byte number
 * `before` at a multiple of `align`; or 0.
 */
uintptr_t os_find_place(size_t size, size_t before, size_t align);

/* Returns false if the kernel refuses so much memory at this moment. */
bool os_has_room(size_t size);

/*
 * Returns address space at `address` if the kernel has no mapping there, else at another place; or
 * NULL. An older kernel takes the address for a hint, so the caller has to compare.
 */
void *os_reserve_near(void *address, size_t size);

/*
 * Replaces a range of one of our mappings by zero-filled memory. This commits reserved address
 * space, and gives back pages that were in use. If it returns false, the range may have become a
 * hole: it must never be touched or unmapped again.
 */
bool os_renew(void *address, size_t size);

/*
 * Replaces a range of one of our mappings by address space that cannot be touched, and gives its
 * memory back. If it returns false, the range may have become a hole: it must never be touched or
 * unmapped again.
 */
bool os_forbid(void *address, size_t size);

/*
 * Makes a range of our mappings zeros that can be read and not written to; the kernel neither
 * charges nor locks memory for them. Returns false if the kernel refuses; the range may be a hole
 * then.
 */
bool os_make_readable(void *address, size_t size);

/*
 * Where one of the functions above has left a hole, maps zeros that can be read and not written to.
 * What is not a hole stays as it is, and so does a hole if the kernel refuses.
 */
void os_fill_hole(void *address, size_t size);

/*
 * Returns false if the kernel refuses, as it does at its limit of mappings. The range is then as it
 * was.
 */
bool os_unmap(void *address, size_t size);

/*
 * Writes the whole text, by as many calls as it takes, and returns 0. It gives up at an error, and
 * returns that.
 */
int os_write(int fd, const char *text, size_t length);

/*
 * Writes text that another thread may unmap, like os_write(), but gives up with EFAULT if that
 * happens. Stores in *done how many bytes it has written.
 */
int os_write_some(int fd, const char *text, size_t length, size_t *done);

/* Ends the process by SIGABRT. */
_Noreturn void os_abort(void);

/*
 * Asks the kernel for the limits and the processors of the process. Called once, early, because a
 * sandbox may forbid these questions later.
 */
void os_look_at_process(void);

/* Returns how many processors the process may use. */
unsigned os_processors(void);

/*
 * Returns the lower of the limits RLIMIT_AS and RLIMIT_DATA in bytes, as they were in
 * os_look_at_process(), or SIZE_MAX if there was none. Reserving address space would use up the
 * first limit and evade the second. If the kernel has refused a mapping of a moderate size since
 * then, a limit may have been set, and a small one is assumed.
 */
size_t os_memory_limit(void);

/* Notes that the kernel refused a mapping of `size` bytes. */
void os_note_refusal(size_t size);

/*
 * Returns `environment` if it is certain that the kernel laid it on the stack, with the auxiliary
 * vector behind it; else NULL. For the time before our constructor is given the environment.
 */
char **os_kernel_environment(char **environment);

/*
 * Returns the value of an entry of the auxiliary vector, which the kernel lays behind the initial
 * environment, or 0 if there is no such entry.
 */
unsigned long os_auxiliary(char **environment, unsigned long type);

struct os_counters os_counted(void);

#ifdef FT_MALLOC_PREFIXED
/*
 * For tests: makes the n-th system call for memory from now on fail, and with `sticky` all later
 * ones too. 0 switches this off.
 */
void os_fail_after(unsigned long n, bool sticky);
#endif

#endif
