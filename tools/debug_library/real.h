/*
 * The C library's own versions of the functions that this library defines.
 */
#ifndef FT_DEBUG_LIBRARY_REAL_H
#define FT_DEBUG_LIBRARY_REAL_H

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <wchar.h>

/* The C library also has macros of these names. */
#undef fread_unlocked
#undef fwrite_unlocked
#undef fputs_unlocked

/* Programs call the names of C23 only if they were compiled for a C library that has them. */
#if __GLIBC_PREREQ(2, 38)
#define REAL_HAS_C23 1
#else
#define REAL_HAS_C23 0
#endif

struct real {
    /* For memcpy(), too: old programs call it with ranges that overlap, and it is as quick. */
    void *(*memmove)(void *to, const void *from, size_t size);
    void *(*memset)(void *to, int byte, size_t size);
    int (*memcmp)(const void *one, const void *other, size_t size);
    void (*explicit_bzero)(void *to, size_t size);
    void *(*memccpy)(void *to, const void *from, int byte, size_t size);
    char *(*strncpy)(char *to, const char *from, size_t size);
    char *(*stpncpy)(char *to, const char *from, size_t size);
    char *(*strdup)(const char *text);
    char *(*strndup)(const char *text, size_t most);
    wchar_t *(*wcsncpy)(wchar_t *to, const wchar_t *from, size_t count);
    wchar_t *(*wcpncpy)(wchar_t *to, const wchar_t *from, size_t count);
    wchar_t *(*wmemset)(wchar_t *to, wchar_t character, size_t count);
    wchar_t *(*wcsdup)(const wchar_t *text);
    size_t (*mbstowcs)(wchar_t *to, const char *from, size_t count);
    size_t (*mbsrtowcs)(wchar_t *to, const char **from, size_t count, mbstate_t *state);
    size_t (*mbsnrtowcs)(wchar_t *to, const char **from, size_t bytes, size_t count,
                         mbstate_t *state);
    size_t (*wcstombs)(char *to, const wchar_t *from, size_t size);
    size_t (*wcsrtombs)(char *to, const wchar_t **from, size_t size, mbstate_t *state);
    size_t (*wcsnrtombs)(char *to, const wchar_t **from, size_t count, size_t size,
                         mbstate_t *state);
    size_t (*wcrtomb)(char *to, wchar_t character, mbstate_t *state);
    int (*wctomb)(char *to, wchar_t character);
    int (*vsprintf)(char *to, const char *format, va_list arguments);
    int (*vsnprintf)(char *to, size_t size, const char *format, va_list arguments);
    int (*vsprintf_chk)(char *to, int flag, size_t object, const char *format, va_list arguments);
    int (*vsnprintf_chk)(char *to, size_t size, int flag, size_t object, const char *format,
                         va_list arguments);
    int (*vswprintf)(wchar_t *to, size_t count, const wchar_t *format, va_list arguments);
    int (*vswprintf_chk)(wchar_t *to, size_t count, int flag, size_t object, const wchar_t *format,
                         va_list arguments);
    int (*vfscanf)(FILE *stream, const char *format, va_list arguments);
    int (*vfscanf_c99)(FILE *stream, const char *format, va_list arguments);
    int (*vsscanf)(const char *text, const char *format, va_list arguments);
    int (*vsscanf_c99)(const char *text, const char *format, va_list arguments);
#if REAL_HAS_C23
    int (*vfscanf_c23)(FILE *stream, const char *format, va_list arguments);
    int (*vsscanf_c23)(const char *text, const char *format, va_list arguments);
#endif
    ssize_t (*read)(int fd, void *to, size_t size);
    ssize_t (*pread)(int fd, void *to, size_t size, off_t offset);
    ssize_t (*recv)(int fd, void *to, size_t size, int flags);
    ssize_t (*recvfrom)(int fd, void *to, size_t size, int flags, struct sockaddr *address,
                        socklen_t *length);
    ssize_t (*readlink)(const char *path, char *to, size_t size);
    ssize_t (*readlinkat)(int folder, const char *path, char *to, size_t size);
    char *(*getcwd)(char *to, size_t size);
    ssize_t (*readv)(int fd, const struct iovec *parts, int count);
    ssize_t (*preadv)(int fd, const struct iovec *parts, int count, off_t offset);
    ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
    ssize_t (*preadv2)(int fd, const struct iovec *parts, int count, off_t offset, int flags);
    int (*recvmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags,
                    struct timespec *time);
    ssize_t (*writev)(int fd, const struct iovec *parts, int count);
    ssize_t (*pwritev)(int fd, const struct iovec *parts, int count, off_t offset);
    ssize_t (*pwritev2)(int fd, const struct iovec *parts, int count, off_t offset, int flags);
    int (*sendmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    ssize_t (*getrandom)(void *to, size_t size, unsigned flags);
    int (*getentropy)(void *to, size_t size);
    ssize_t (*write)(int fd, const void *from, size_t size);
    ssize_t (*pwrite)(int fd, const void *from, size_t size, off_t offset);
    ssize_t (*send)(int fd, const void *from, size_t size, int flags);
    ssize_t (*sendto)(int fd, const void *from, size_t size, int flags,
                      const struct sockaddr *address, socklen_t length);
    size_t (*fread)(void *to, size_t size, size_t count, FILE *stream);
    size_t (*fread_unlocked)(void *to, size_t size, size_t count, FILE *stream);
    size_t (*fwrite)(const void *from, size_t size, size_t count, FILE *stream);
    size_t (*fwrite_unlocked)(const void *from, size_t size, size_t count, FILE *stream);
    char *(*fgets)(char *to, int size, FILE *stream);
    char *(*fgets_unlocked)(char *to, int size, FILE *stream);
    wchar_t *(*fgetws)(wchar_t *to, int count, FILE *stream);
    ssize_t (*getdelim)(char **line, size_t *size, int end, FILE *stream);
    int (*fputs)(const char *text, FILE *stream);
    int (*fputs_unlocked)(const char *text, FILE *stream);
    int (*puts)(const char *text);
    char *(*realpath)(const char *path, char *to);
    int (*gethostname)(char *to, size_t size);
    const char *(*inet_ntop)(int family, const void *from, char *to, socklen_t size);
    int (*inet_pton)(int family, const char *text, void *to);
    size_t (*strftime)(char *to, size_t size, const char *format, const struct tm *time);
    size_t (*strftime_l)(char *to, size_t size, const char *format, const struct tm *time,
                         locale_t locale);
    size_t (*wcsftime)(wchar_t *to, size_t count, const wchar_t *format, const struct tm *time);
    size_t (*wcsftime_l)(wchar_t *to, size_t count, const wchar_t *format, const struct tm *time,
                         locale_t locale);
    char *(*asctime_r)(const struct tm *time, char *to);
    char *(*ctime_r)(const time_t *time, char *to);
    struct tm *(*gmtime_r)(const time_t *time, struct tm *to);
    struct tm *(*localtime_r)(const time_t *time, struct tm *to);
    void (*qsort)(void *items, size_t count, size_t size, int (*order)(const void *, const void *));
    void (*qsort_r)(void *items, size_t count, size_t size,
                    int (*order)(const void *, const void *, void *), void *context);
    int (*poll)(struct pollfd *fds, nfds_t count, int wait_ms);
    int (*ppoll)(struct pollfd *fds, nfds_t count, const struct timespec *wait,
                 const sigset_t *mask);
    int (*select)(int count, fd_set *readable, fd_set *writable, fd_set *special,
                  struct timeval *wait);
    int (*pselect)(int count, fd_set *readable, fd_set *writable, fd_set *special,
                   const struct timespec *wait, const sigset_t *mask);
    int (*epoll_wait)(int fd, struct epoll_event *events, int count, int wait_ms);
    int (*epoll_pwait)(int fd, struct epoll_event *events, int count, int wait_ms,
                       const sigset_t *mask);
    int (*getgroups)(int count, gid_t *groups);
    size_t (*malloc_usable_size)(void *pointer);
};

extern struct real real_table __attribute__((visibility("hidden")));
extern _Atomic bool real_found __attribute__((visibility("hidden")));

/*
 * The ones that programs call most. At first they are functions that call real_find(), so nobody
 * asks before he calls. Relaxed: the C library's code was there all the while.
 */
struct real_quick {
    _Atomic(void *(*)(void *to, const void *from, size_t size)) memmove;
    _Atomic(void *(*)(void *to, int byte, size_t size)) memset;
    _Atomic(int (*)(const void *one, const void *other, size_t size)) memcmp;
};

extern struct real_quick real_quick __attribute__((visibility("hidden")));

#define REAL_QUICK(name) atomic_load_explicit(&real_quick.name, memory_order_relaxed)

/* Asks the dynamic linker for all of them. Several threads may do so at once. */
void real_find(void) __attribute__((cold));

/* Checked functions may be called before any constructor has run. */
static inline const struct real *real(void)
{
    /* Acquire: whoever sees the flag sees the table. */
    if (__builtin_expect(!atomic_load_explicit(&real_found, memory_order_acquire), false))
        real_find();
    return &real_table;
}

#endif
