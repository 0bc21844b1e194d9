/*
 * ft_malloc: what the library offers beyond the malloc family of <stdlib.h> and <malloc.h>.
 *
 * A program that is only sometimes run with the library declares what it uses weak and tests it:
 *     extern void show_alloc_mem(void) __attribute__((weak));
 *     if (show_alloc_mem) show_alloc_mem();
 */
#ifndef FT_MALLOC_H
#define FT_MALLOC_H

/*
 * The version of this header: numbers for #if, and the string "MAJOR.MINOR.PATCH". The build takes
 * the version of the library from these three numbers. A new major version may break programs that
 * were linked with an older one, a new minor version only adds to it.
 */
#define FT_MALLOC_VERSION_MAJOR 1
#define FT_MALLOC_VERSION_MINOR 1
#define FT_MALLOC_VERSION_PATCH 0
#define FT_MALLOC_QUOTE_(major, minor, patch) #major "." #minor "." #patch
#define FT_MALLOC_JOIN_(major, minor, patch) FT_MALLOC_QUOTE_(major, minor, patch)
#define FT_MALLOC_VERSION                                                                          \
    FT_MALLOC_JOIN_(FT_MALLOC_VERSION_MAJOR, FT_MALLOC_VERSION_MINOR, FT_MALLOC_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Returns the version of the library that serves the process, as "MAJOR.MINOR.PATCH". It may differ
 * from FT_MALLOC_VERSION, which is that of the header the caller was compiled with. The string is a
 * constant: never free it. Any thread may call this at any time, also from a signal handler.
 */
const char *ft_malloc_version(void) __attribute__((visibility("default")));

/*
 * Writes every live allocation of the process to standard output (file descriptor 1, not through
 * stdio: call fflush(stdout) first if the order matters), sorted by address, sizes in bytes as they
 * were requested:
 *
 *     TINY : 0x7F1200000000                                a heap, by its start; LARGE: a mapping
 *     0x7F1200050000 - 0x7F120005002A : 42 bytes           start - end of what was requested
 *     Total : 42 bytes
 *
 * May be called by any thread at any time, except from a signal handler that may have interrupted
 * malloc. Other threads go on allocating: what is live during the whole call is shown, what is free
 * during the whole call is not. It is no cancellation point. Allocates nothing from the heaps that
 * it shows. Errors of write() are ignored; if there is no memory for the list, what fits is shown,
 * and a line on standard error says so.
 */
void show_alloc_mem(void) __attribute__((visibility("default")));

/*
 * Writes the same listing to a file descriptor. Returns 0, or -1 with errno set to what write() set
 * it to, or to ENOMEM if there was no memory for the whole list.
 */
int ft_malloc_show(int fd) __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif

#endif
