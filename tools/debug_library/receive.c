/*
 * read, recv and their relatives. If the caller allows more bytes than the chunk has, the rest is
 * received into a buffer beside it. So an overflow is known for certain before it happens, and
 * there is no complaint about a size that is too large if less arrives.
 */
#include "checked.h"
#include "real.h"

#include <assert.h>
#include <limits.h>
#include <string.h>
#include <sys/uio.h>

CHECKED_API ssize_t checked_read(int, void *, size_t) CHECKED_NAME(read);
CHECKED_API ssize_t checked_pread(int, void *, size_t, off_t) CHECKED_NAME(pread);
CHECKED_API ssize_t checked_pread64(int, void *, size_t, off_t) CHECKED_NAME(pread64);
CHECKED_API ssize_t checked_recv(int, void *, size_t, int) CHECKED_NAME(recv);
CHECKED_API ssize_t checked_recvfrom(int, void *, size_t, int, struct sockaddr *, socklen_t *)
    CHECKED_NAME(recvfrom);
CHECKED_API ssize_t checked_readlink(const char *, char *, size_t) CHECKED_NAME(readlink);
CHECKED_API ssize_t checked_getrandom(void *, size_t, unsigned) CHECKED_NAME(getrandom);
CHECKED_API ssize_t checked_read_chk(int, void *, size_t, size_t) CHECKED_NAME(__read_chk);
CHECKED_API ssize_t checked_pread_chk(int, void *, size_t, off_t, size_t) CHECKED_NAME(__pread_chk);
CHECKED_API ssize_t checked_pread64_chk(int, void *, size_t, off_t, size_t)
    CHECKED_NAME(__pread64_chk);
CHECKED_API ssize_t checked_recv_chk(int, void *, size_t, size_t, int) CHECKED_NAME(__recv_chk);
CHECKED_API ssize_t checked_recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *,
                                         socklen_t *) CHECKED_NAME(__recvfrom_chk);
CHECKED_API ssize_t checked_readlinkat(int, const char *, char *, size_t) CHECKED_NAME(readlinkat);
CHECKED_API ssize_t checked_readlinkat_chk(int, const char *, char *, size_t, size_t)
    CHECKED_NAME(__readlinkat_chk);
CHECKED_API char *checked_getcwd(char *, size_t) CHECKED_NAME(getcwd);
CHECKED_API char *checked_getcwd_chk(char *, size_t, size_t) CHECKED_NAME(__getcwd_chk);
CHECKED_API ssize_t checked_readlink_chk(const char *, char *, size_t, size_t)
    CHECKED_NAME(__readlink_chk);

static_assert(sizeof(off_t) == sizeof(off64_t), "pread64() is pread()");

/* Where `size` bytes are received of which only `room` fit. */
struct beside {
    struct iovec parts[2];
    char rest[PATH_MAX];
};

static void beside_begin(struct beside *beside, void *to, size_t room, size_t size)
{
    size_t rest = size - room < sizeof beside->rest ? size - room : sizeof beside->rest;

    beside->parts[0] = (struct iovec){to, room};
    beside->parts[1] = (struct iovec){beside->rest, rest};
}

/* Reports if more was received than fits. If that does not end the process, puts it there. */
CHECKED_INLINE ssize_t beside_end(const char *function, const struct beside *beside, ssize_t got)
{
    char *to = beside->parts[0].iov_base;
    size_t room = beside->parts[0].iov_len, most = room + beside->parts[1].iov_len;
    size_t received = got < 0 ? 0 : (size_t)got;

    if (received > most)
        received = most; /* with MSG_TRUNC the rest of a datagram is counted, too */
    if (received > room) {
        checked_fail(function, to, received, true, __builtin_return_address(0));
        (void)real()->memmove(to + room, beside->rest, received - room);
    }
    return got;
}

CHECKED_INLINE ssize_t read_to(int fd, void *to, size_t size)
{
    size_t room = bounds_room(to);
    struct beside beside;

    if (__builtin_expect(size <= room, true))
        return real()->read(fd, to, size);
    beside_begin(&beside, to, room, size);
    return beside_end("read()", &beside, real()->readv(fd, beside.parts, 2));
}

ssize_t checked_read(int fd, void *to, size_t size)
{
    return read_to(fd, to, size);
}

ssize_t checked_read_chk(int fd, void *to, size_t size, size_t object)
{
    check_object(size, object);
    return read_to(fd, to, size);
}

CHECKED_INLINE ssize_t pread_to(int fd, void *to, size_t size, off_t offset)
{
    size_t room = bounds_room(to);
    struct beside beside;

    if (__builtin_expect(size <= room, true))
        return real()->pread(fd, to, size, offset);
    beside_begin(&beside, to, room, size);
    return beside_end("pread()", &beside, real()->preadv(fd, beside.parts, 2, offset));
}

ssize_t checked_pread(int fd, void *to, size_t size, off_t offset)
{
    return pread_to(fd, to, size, offset);
}

ssize_t checked_pread64(int fd, void *to, size_t size, off_t offset)
{
    return pread_to(fd, to, size, offset);
}

ssize_t checked_pread_chk(int fd, void *to, size_t size, off_t offset, size_t object)
{
    check_object(size, object);
    return pread_to(fd, to, size, offset);
}

ssize_t checked_pread64_chk(int fd, void *to, size_t size, off_t offset, size_t object)
{
    check_object(size, object);
    return pread_to(fd, to, size, offset);
}

CHECKED_INLINE ssize_t recv_to(int fd, void *to, size_t size, int flags)
{
    size_t room = bounds_room(to);
    struct msghdr message = {.msg_iovlen = 2};
    struct beside beside;

    if (__builtin_expect(size <= room, true))
        return real()->recv(fd, to, size, flags);
    beside_begin(&beside, to, room, size);
    message.msg_iov = beside.parts;
    return beside_end("recv()", &beside, real()->recvmsg(fd, &message, flags));
}

ssize_t checked_recv(int fd, void *to, size_t size, int flags)
{
    return recv_to(fd, to, size, flags);
}

ssize_t checked_recv_chk(int fd, void *to, size_t size, size_t object, int flags)
{
    check_object(size, object);
    return recv_to(fd, to, size, flags);
}

CHECKED_INLINE ssize_t recvfrom_to(int fd, void *to, size_t size, int flags,
                                   struct sockaddr *address, socklen_t *length)
{
    size_t room = bounds_room(to);
    struct msghdr message = {.msg_iovlen = 2, .msg_name = address};
    struct beside beside;
    ssize_t got;

    if (__builtin_expect(size <= room, true))
        return real()->recvfrom(fd, to, size, flags, address, length);
    beside_begin(&beside, to, room, size);
    message.msg_iov = beside.parts;
    if (address != NULL && length != NULL)
        message.msg_namelen = *length;
    got = real()->recvmsg(fd, &message, flags);
    if (got >= 0 && address != NULL && length != NULL)
        *length = message.msg_namelen;
    return beside_end("recvfrom()", &beside, got);
}

ssize_t checked_recvfrom(int fd, void *to, size_t size, int flags, struct sockaddr *address,
                         socklen_t *length)
{
    return recvfrom_to(fd, to, size, flags, address, length);
}

ssize_t checked_recvfrom_chk(int fd, void *to, size_t size, size_t object, int flags,
                             struct sockaddr *address, socklen_t *length)
{
    check_object(size, object);
    return recvfrom_to(fd, to, size, flags, address, length);
}

/* No link is longer than PATH_MAX, so what does not fit into the chunk fits beside it. */
CHECKED_INLINE ssize_t readlink_to(const char *path, char *to, size_t size)
{
    size_t room = bounds_room(to);
    char link[PATH_MAX];
    ssize_t got;

    if (__builtin_expect(size <= room, true))
        return real()->readlink(path, to, size);
    got = real()->readlink(path, link, size < sizeof link ? size : sizeof link);
    if (got <= 0)
        return got;
    if ((size_t)got > room)
        checked_fail("readlink()", to, (size_t)got, true, __builtin_return_address(0));
    (void)real()->memmove(to, link, (size_t)got);
    return got;
}

ssize_t checked_readlink(const char *path, char *to, size_t size)
{
    return readlink_to(path, to, size);
}

ssize_t checked_readlink_chk(const char *path, char *to, size_t size, size_t object)
{
    check_object(size, object);
    return readlink_to(path, to, size);
}

CHECKED_INLINE ssize_t readlinkat_to(int folder, const char *path, char *to, size_t size)
{
    size_t room = bounds_room(to);
    char link[PATH_MAX];
    ssize_t got;

    if (__builtin_expect(size <= room, true))
        return real()->readlinkat(folder, path, to, size);
    got = real()->readlinkat(folder, path, link, size < sizeof link ? size : sizeof link);
    if (got <= 0)
        return got;
    if ((size_t)got > room)
        checked_fail("readlinkat()", to, (size_t)got, true, __builtin_return_address(0));
    (void)real()->memmove(to, link, (size_t)got);
    return got;
}

ssize_t checked_readlinkat(int folder, const char *path, char *to, size_t size)
{
    return readlinkat_to(folder, path, to, size);
}

ssize_t checked_readlinkat_chk(int folder, const char *path, char *to, size_t size, size_t object)
{
    check_object(size, object);
    return readlinkat_to(folder, path, to, size);
}

/* A path that does not fit into PATH_MAX is left to the C library. */
CHECKED_INLINE char *getcwd_to(char *to, size_t size)
{
    char path[PATH_MAX];
    size_t length;

    if (to == NULL || bounds_room(to) >= size || size == 0)
        return real()->getcwd(to, size);
    if (real()->getcwd(path, size < sizeof path ? size : sizeof path) == NULL)
        return size < sizeof path ? NULL : real()->getcwd(to, size);
    length = strlen(path) + 1;
    check_write("getcwd()", to, length);
    return real()->memmove(to, path, length);
}

char *checked_getcwd(char *to, size_t size)
{
    return getcwd_to(to, size);
}

char *checked_getcwd_chk(char *to, size_t size, size_t object)
{
    check_object(size, object);
    return getcwd_to(to, size);
}

/* As a rule, all bytes are written. */
ssize_t checked_getrandom(void *to, size_t size, unsigned flags)
{
    check_write("getrandom()", to, size);
    return real()->getrandom(to, size, flags);
}
