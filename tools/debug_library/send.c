/*
 * write, send and their relatives: an over-read here tells secrets to somebody else.
 */
#include "checked.h"
#include "real.h"

CHECKED_API ssize_t checked_pwrite(int, const void *, size_t, off_t) CHECKED_NAME(pwrite);
CHECKED_API ssize_t checked_pwrite64(int, const void *, size_t, off_t) CHECKED_NAME(pwrite64);
CHECKED_API ssize_t checked_write_to(int, const void *, size_t) CHECKED_NAME(write);
CHECKED_API ssize_t checked_send(int, const void *, size_t, int) CHECKED_NAME(send);
CHECKED_API ssize_t checked_sendto(int, const void *, size_t, int, const struct sockaddr *,
                                   socklen_t) CHECKED_NAME(sendto);

ssize_t checked_write_to(int fd, const void *from, size_t size)
{
    check_sent("write()", from, size);
    return real()->write(fd, from, size);
}

ssize_t checked_pwrite(int fd, const void *from, size_t size, off_t offset)
{
    check_sent("pwrite()", from, size);
    return real()->pwrite(fd, from, size, offset);
}

ssize_t checked_pwrite64(int fd, const void *from, size_t size, off_t offset)
{
    check_sent("pwrite()", from, size);
    return real()->pwrite(fd, from, size, offset);
}

ssize_t checked_send(int fd, const void *from, size_t size, int flags)
{
    check_sent("send()", from, size);
    return real()->send(fd, from, size, flags);
}

ssize_t checked_sendto(int fd, const void *from, size_t size, int flags,
                       const struct sockaddr *address, socklen_t length)
{
    check_sent("sendto()", from, size);
    return real()->sendto(fd, from, size, flags, address, length);
}
