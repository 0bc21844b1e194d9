/*
 * readv, recvmsg, recvmmsg, writev, sendmsg and their relatives. What is received is put into a
 * buffer beside the first part that is larger than its chunk, as receive.c does, and the parts
 * behind it are left out: they would only be reached if the chunk had overflowed.
 */
#include "checked.h"
#include "real.h"

#include <limits.h>
#include <sys/uio.h>

#define CALLER __builtin_return_address(0)

CHECKED_API ssize_t checked_readv(int, const struct iovec *, int) CHECKED_NAME(readv);
CHECKED_API ssize_t checked_preadv(int, const struct iovec *, int, off_t) CHECKED_NAME(preadv);
CHECKED_API ssize_t checked_preadv64(int, const struct iovec *, int, off_t) CHECKED_NAME(preadv64);
CHECKED_API ssize_t checked_preadv2(int, const struct iovec *, int, off_t, int)
    CHECKED_NAME(preadv2);
CHECKED_API ssize_t checked_preadv64v2(int, const struct iovec *, int, off_t, int)
    CHECKED_NAME(preadv64v2);
CHECKED_API int checked_recvmmsg(int, struct mmsghdr *, unsigned, int, struct timespec *)
    CHECKED_NAME(recvmmsg);
CHECKED_API ssize_t checked_recvmsg(int, struct msghdr *, int) CHECKED_NAME(recvmsg);
CHECKED_API ssize_t checked_writev(int, const struct iovec *, int) CHECKED_NAME(writev);
CHECKED_API ssize_t checked_pwritev(int, const struct iovec *, int, off_t) CHECKED_NAME(pwritev);
CHECKED_API ssize_t checked_pwritev64(int, const struct iovec *, int, off_t)
    CHECKED_NAME(pwritev64);
CHECKED_API ssize_t checked_pwritev2(int, const struct iovec *, int, off_t, int)
    CHECKED_NAME(pwritev2);
CHECKED_API ssize_t checked_pwritev64v2(int, const struct iovec *, int, off_t, int)
    CHECKED_NAME(pwritev64v2);
CHECKED_API int checked_sendmmsg(int, struct mmsghdr *, unsigned, int) CHECKED_NAME(sendmmsg);
CHECKED_API ssize_t checked_sendmsg(int, const struct msghdr *, int) CHECKED_NAME(sendmsg);

/* A vector with more parts in front of the one that is too large is let pass. */
enum { PARTS_MAX = 32 };

struct shortened {
    struct iovec parts[PARTS_MAX + 2];
    size_t count, before; /* bytes in front of the part */
    char rest[PATH_MAX];
};

/* Returns false if each part fits into its chunk; then the vector may be used as it is. */
static bool shorten(struct shortened *shortened, const struct iovec *parts, size_t count)
{
    size_t before = 0, room = 0, rest, n;

    for (n = 0; n < count; n++) {
        if (parts[n].iov_len != 0 && !bounds_hold_joined(parts[n].iov_base, parts[n].iov_len)) {
            room = bounds_room(parts[n].iov_base);
            if (room < parts[n].iov_len)
                break;
        }
        before += parts[n].iov_len;
    }
    if (n == count || n > PARTS_MAX)
        return false;
    for (size_t at = 0; at < n; at++)
        shortened->parts[at] = parts[at];
    rest = parts[n].iov_len - room;
    shortened->parts[n] = (struct iovec){parts[n].iov_base, room};
    shortened->parts[n + 1] = (struct iovec){
        shortened->rest, rest < sizeof shortened->rest ? rest : sizeof shortened->rest};
    shortened->count = n + 2;
    shortened->before = before;
    return true;
}

/* Reports if more was received than fits. If that does not end the process, puts it there. */
static ssize_t received(const char *function, const struct shortened *shortened, ssize_t got,
                        const void *caller)
{
    const struct iovec *part = &shortened->parts[shortened->count - 2];
    size_t most = part[0].iov_len + part[1].iov_len, bytes;

    if (got < 0 || (size_t)got <= shortened->before + part[0].iov_len)
        return got;
    bytes = (size_t)got - shortened->before;
    /* With MSG_TRUNC the rest of a datagram is counted, too. */
    bytes = bytes < most ? bytes : most;
    checked_fail(function, part[0].iov_base, bytes, true, caller);
    (void)real()->memmove((char *)part[0].iov_base + part[0].iov_len, shortened->rest,
                          bytes - part[0].iov_len);
    return got;
}

ssize_t checked_readv(int fd, const struct iovec *parts, int count)
{
    struct shortened shortened;

    if (count <= 0 || !shorten(&shortened, parts, (size_t)count))
        return real()->readv(fd, parts, count);
    return received("readv()", &shortened, real()->readv(fd, shortened.parts, (int)shortened.count),
                    CALLER);
}

CHECKED_INLINE ssize_t preadv_to(int fd, const struct iovec *parts, int count, off_t offset)
{
    struct shortened shortened;

    if (count <= 0 || !shorten(&shortened, parts, (size_t)count))
        return real()->preadv(fd, parts, count, offset);
    return received("preadv()", &shortened,
                    real()->preadv(fd, shortened.parts, (int)shortened.count, offset), CALLER);
}

ssize_t checked_preadv(int fd, const struct iovec *parts, int count, off_t offset)
{
    return preadv_to(fd, parts, count, offset);
}

ssize_t checked_preadv64(int fd, const struct iovec *parts, int count, off_t offset)
{
    return preadv_to(fd, parts, count, offset);
}

CHECKED_INLINE ssize_t preadv2_to(int fd, const struct iovec *parts, int count, off_t offset,
                                  int flags)
{
    struct shortened shortened;

    if (count <= 0 || !shorten(&shortened, parts, (size_t)count))
        return real()->preadv2(fd, parts, count, offset, flags);
    return received("preadv2()", &shortened,
                    real()->preadv2(fd, shortened.parts, (int)shortened.count, offset, flags),
                    CALLER);
}

ssize_t checked_preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return preadv2_to(fd, parts, count, offset, flags);
}

ssize_t checked_preadv64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return preadv2_to(fd, parts, count, offset, flags);
}

/* The first message whose vector is too large is the last one that is received by this call. */
int checked_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                     struct timespec *time)
{
    struct shortened shortened;
    struct msghdr *message, as_given;
    unsigned before = 0;
    int got;

    while (before < count && !shorten(&shortened, messages[before].msg_hdr.msg_iov,
                                      messages[before].msg_hdr.msg_iovlen))
        before++;
    if (before == count)
        return real()->recvmmsg(fd, messages, count, flags, time);
    message = &messages[before].msg_hdr;
    as_given = *message;
    message->msg_iov = shortened.parts;
    message->msg_iovlen = shortened.count;
    got = real()->recvmmsg(fd, messages, before + 1, flags, time);
    message->msg_iov = as_given.msg_iov;
    message->msg_iovlen = as_given.msg_iovlen;
    if (got == (int)before + 1)
        (void)received("recvmmsg()", &shortened, (ssize_t)messages[before].msg_len, CALLER);
    return got;
}

ssize_t checked_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct shortened shortened;
    struct iovec *parts;
    size_t count;
    ssize_t got;

    if (message == NULL || !shorten(&shortened, message->msg_iov, message->msg_iovlen))
        return real()->recvmsg(fd, message, flags);
    parts = message->msg_iov;
    count = message->msg_iovlen;
    message->msg_iov = shortened.parts;
    message->msg_iovlen = shortened.count;
    got = real()->recvmsg(fd, message, flags);
    message->msg_iov = parts;
    message->msg_iovlen = count;
    return received("recvmsg()", &shortened, got, CALLER);
}

CHECKED_INLINE void check_parts(const char *function, const struct iovec *parts, size_t count)
{
    for (size_t n = 0; n < count; n++)
        check_sent(function, parts[n].iov_base, parts[n].iov_len);
}

ssize_t checked_writev(int fd, const struct iovec *parts, int count)
{
    check_parts("writev()", parts, count < 0 ? 0 : (size_t)count);
    return real()->writev(fd, parts, count);
}

ssize_t checked_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    check_parts("pwritev()", parts, count < 0 ? 0 : (size_t)count);
    return real()->pwritev(fd, parts, count, offset);
}

ssize_t checked_pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    check_parts("pwritev()", parts, count < 0 ? 0 : (size_t)count);
    return real()->pwritev(fd, parts, count, offset);
}

ssize_t checked_pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    check_parts("pwritev2()", parts, count < 0 ? 0 : (size_t)count);
    return real()->pwritev2(fd, parts, count, offset, flags);
}

ssize_t checked_pwritev64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    check_parts("pwritev2()", parts, count < 0 ? 0 : (size_t)count);
    return real()->pwritev2(fd, parts, count, offset, flags);
}

int checked_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned n = 0; n < count; n++)
        check_parts("sendmmsg()", messages[n].msg_hdr.msg_iov, messages[n].msg_hdr.msg_iovlen);
    return real()->sendmmsg(fd, messages, count, flags);
}

ssize_t checked_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (message != NULL)
        check_parts("sendmsg()", message->msg_iov, message->msg_iovlen);
    return real()->sendmsg(fd, message, flags);
}
