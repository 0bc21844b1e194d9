/*
 * Functions whose argument is an array of known length: qsort, poll, select, epoll_wait, getgroups,
 * getentropy and their relatives. All of it is accessed, so it must be there as a whole; what
 * epoll_wait and getgroups store is known afterwards.
 */
#include "checked.h"
#include "real.h"

#include <stdlib.h>
#include <unistd.h>

typedef int order_function(const void *, const void *);
typedef int order_function_r(const void *, const void *, void *);

CHECKED_API void checked_qsort(void *, size_t, size_t, order_function *) CHECKED_NAME(qsort);
CHECKED_API void checked_qsort_r(void *, size_t, size_t, order_function_r *, void *)
    CHECKED_NAME(qsort_r);
CHECKED_API int checked_poll(struct pollfd *, nfds_t, int) CHECKED_NAME(poll);
CHECKED_API int checked_poll_chk(struct pollfd *, nfds_t, int, size_t) CHECKED_NAME(__poll_chk);
CHECKED_API int checked_ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *)
    CHECKED_NAME(ppoll);
CHECKED_API int checked_ppoll_chk(struct pollfd *, nfds_t, const struct timespec *,
                                  const sigset_t *, size_t) CHECKED_NAME(__ppoll_chk);
CHECKED_API int checked_select(int, fd_set *, fd_set *, fd_set *, struct timeval *)
    CHECKED_NAME(select);
CHECKED_API int checked_pselect(int, fd_set *, fd_set *, fd_set *, const struct timespec *,
                                const sigset_t *) CHECKED_NAME(pselect);
CHECKED_API int checked_epoll_wait(int, struct epoll_event *, int, int) CHECKED_NAME(epoll_wait);
CHECKED_API int checked_epoll_pwait(int, struct epoll_event *, int, int, const sigset_t *)
    CHECKED_NAME(epoll_pwait);
CHECKED_API int checked_getgroups(int, gid_t *) CHECKED_NAME(getgroups);
CHECKED_API int checked_getgroups_chk(int, gid_t *, size_t) CHECKED_NAME(__getgroups_chk);
CHECKED_API int checked_getentropy(void *, size_t) CHECKED_NAME(getentropy);

/* Returns size * count, or SIZE_MAX. */
CHECKED_INLINE size_t total_of(size_t size, size_t count)
{
    size_t total;

    return __builtin_mul_overflow(size, count, &total) ? SIZE_MAX : total;
}

/* A single item is neither read nor moved. */
void checked_qsort(void *items, size_t count, size_t size, order_function *order)
{
    if (count > 1)
        check_write("qsort()", items, total_of(size, count));
    real()->qsort(items, count, size, order);
}

void checked_qsort_r(void *items, size_t count, size_t size, order_function_r *order, void *context)
{
    if (count > 1)
        check_write("qsort_r()", items, total_of(size, count));
    real()->qsort_r(items, count, size, order, context);
}

int checked_poll(struct pollfd *fds, nfds_t count, int wait_ms)
{
    check_write("poll()", fds, total_of(sizeof *fds, count));
    return real()->poll(fds, count, wait_ms);
}

int checked_poll_chk(struct pollfd *fds, nfds_t count, int wait_ms, size_t object)
{
    check_object(total_of(sizeof *fds, count), object);
    check_write("poll()", fds, total_of(sizeof *fds, count));
    return real()->poll(fds, count, wait_ms);
}

int checked_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *wait,
                  const sigset_t *mask)
{
    check_write("ppoll()", fds, total_of(sizeof *fds, count));
    return real()->ppoll(fds, count, wait, mask);
}

int checked_ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *wait,
                      const sigset_t *mask, size_t object)
{
    check_object(total_of(sizeof *fds, count), object);
    check_write("ppoll()", fds, total_of(sizeof *fds, count));
    return real()->ppoll(fds, count, wait, mask);
}

/* The kernel reads and writes whole words. */
CHECKED_INLINE void check_sets(const char *function, int count, const fd_set *readable,
                               const fd_set *writable, const fd_set *special)
{
    size_t bits = count <= 0 ? 0 : (size_t)count;
    size_t bytes = (bits + NFDBITS - 1) / NFDBITS * sizeof(fd_mask);

    check_write(function, readable, bytes);
    check_write(function, writable, bytes);
    check_write(function, special, bytes);
}

int checked_select(int count, fd_set *readable, fd_set *writable, fd_set *special,
                   struct timeval *wait)
{
    check_sets("select()", count, readable, writable, special);
    return real()->select(count, readable, writable, special, wait);
}

int checked_pselect(int count, fd_set *readable, fd_set *writable, fd_set *special,
                    const struct timespec *wait, const sigset_t *mask)
{
    check_sets("pselect()", count, readable, writable, special);
    return real()->pselect(count, readable, writable, special, wait, mask);
}

/* More events than that are reported by the next call. */
enum { EVENTS = 64 };

CHECKED_INLINE int events_fit(const struct epoll_event *events, int count)
{
    return count <= 0 || bounds_hold(events, total_of(sizeof *events, (size_t)count));
}

CHECKED_INLINE int put_events(const char *function, struct epoll_event *to,
                              const struct epoll_event *events, int got)
{
    if (got > 0) {
        check_write(function, to, (size_t)got * sizeof *to);
        (void)real()->memmove(to, events, (size_t)got * sizeof *to);
    }
    return got;
}

int checked_epoll_wait(int fd, struct epoll_event *to, int count, int wait_ms)
{
    struct epoll_event events[EVENTS];

    if (__builtin_expect(events_fit(to, count), true))
        return real()->epoll_wait(fd, to, count, wait_ms);
    count = count < EVENTS ? count : EVENTS;
    return put_events("epoll_wait()", to, events, real()->epoll_wait(fd, events, count, wait_ms));
}

int checked_epoll_pwait(int fd, struct epoll_event *to, int count, int wait_ms,
                        const sigset_t *mask)
{
    struct epoll_event events[EVENTS];

    if (__builtin_expect(events_fit(to, count), true))
        return real()->epoll_pwait(fd, to, count, wait_ms, mask);
    count = count < EVENTS ? count : EVENTS;
    return put_events("epoll_pwait()", to, events,
                      real()->epoll_pwait(fd, events, count, wait_ms, mask));
}

CHECKED_INLINE int getgroups_to(int count, gid_t *groups)
{
    int there;

    if (count > 0 && !bounds_hold(groups, (size_t)count * sizeof *groups)) {
        there = real()->getgroups(0, NULL);
        if (there > 0 && there <= count)
            check_write("getgroups()", groups, (size_t)there * sizeof *groups);
    }
    return real()->getgroups(count, groups);
}

int checked_getgroups(int count, gid_t *groups)
{
    return getgroups_to(count, groups);
}

int checked_getgroups_chk(int count, gid_t *groups, size_t object)
{
    if (count > 0)
        check_object((size_t)count * sizeof *groups, object);
    return getgroups_to(count, groups);
}

/* It refuses more bytes than that, and writes nothing. */
int checked_getentropy(void *to, size_t size)
{
    if (size <= 256)
        check_write("getentropy()", to, size);
    return real()->getentropy(to, size);
}
