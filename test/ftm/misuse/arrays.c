/*
 * Arrays that are shorter than what the C library or the kernel is told, and vectors of messages.
 */
#include "programs.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SIZE = 24, MORE = 100 };

static int by_byte(const void *one, const void *other)
{
    return *(const char *)one - *(const char *)other;
}

static int by_byte_r(const void *one, const void *other, void *context)
{
    (void)context;
    return by_byte(one, other);
}

static bool qsort_beyond(void)
{
    qsort(chunk_of(SIZE), opaque_size(4), 8, by_byte);
    return false;
}

static bool qsort_of_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    qsort(opaque(chunk), opaque_size(SIZE), 1, by_byte);
    return false;
}

static bool qsort_r_beyond(void)
{
    qsort_r(chunk_of(SIZE), opaque_size(4), 8, by_byte_r, NULL);
    return false;
}

/* What programs with _FORTIFY_SOURCE call; the compiler did not know the size of the chunk. */
int __poll_chk(struct pollfd *fds, nfds_t count, int wait_ms, size_t object);

static struct pollfd *three_fds(void)
{
    return memset(chunk_of(3 * sizeof(struct pollfd)), -1, 3 * sizeof(struct pollfd));
}

static bool poll_beyond(void)
{
    return poll(three_fds(), opaque_size(4), 0) < 0;
}

static bool poll_chk_beyond(void)
{
    return __poll_chk(three_fds(), opaque_size(4), 0, (size_t)-1) < 0;
}

static bool ppoll_beyond(void)
{
    static const struct timespec none;

    return ppoll(three_fds(), opaque_size(4), &none, NULL) < 0;
}

/* A set of 64 descriptors. */
static fd_set *short_set(void)
{
    return memset(chunk_of(8), 0, 8);
}

static bool select_beyond(void)
{
    struct timeval none = {0, 0};

    return select((int)opaque_size(65), short_set(), NULL, NULL, &none) < 0;
}

static bool pselect_beyond(void)
{
    struct timespec none = {0, 0};

    return pselect((int)opaque_size(65), NULL, short_set(), NULL, &none, NULL) < 0;
}

/* Two descriptors are ready, and there is room for one. */
static int two_ready(void)
{
    struct epoll_event event = {.events = EPOLLOUT};
    int epoll = epoll_create1(0), ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &event) != 0)
        exit(99);
    return epoll;
}

static bool epoll_wait_beyond(void)
{
    struct epoll_event *events = (void *)chunk_of(sizeof *events);

    return epoll_wait(two_ready(), events, (int)opaque_size(MORE), 0) < 0;
}

static bool epoll_pwait_beyond(void)
{
    struct epoll_event *events = (void *)chunk_of(sizeof *events);

    return epoll_pwait(two_ready(), events, (int)opaque_size(MORE), 0, NULL) < 0;
}

static bool getentropy_beyond(void)
{
    return getentropy(chunk_of(SIZE), opaque_size(SIZE + 8)) != 0;
}

/* Two messages of MORE bytes each wait; the second chunk is too small for one. */
static struct mmsghdr *two_messages(int *ends, struct iovec *parts)
{
    static struct mmsghdr messages[2];
    static char bytes[MORE];

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0 || write(ends[0], bytes, MORE) != MORE ||
        write(ends[0], bytes, MORE) != MORE)
        exit(99);
    parts[0] = (struct iovec){chunk_of(MORE), MORE};
    parts[1] = (struct iovec){chunk_of(SIZE), opaque_size(MORE)};
    for (unsigned n = 0; n < 2; n++)
        messages[n].msg_hdr = (struct msghdr){.msg_iov = &parts[n], .msg_iovlen = 1};
    return messages;
}

static bool recvmmsg_beyond(void)
{
    struct iovec parts[2];
    int ends[2];
    struct mmsghdr *messages = two_messages(ends, parts);

    return recvmmsg(ends[1], messages, 2, 0, NULL) < 0;
}

static bool sendmmsg_reads_beyond(void)
{
    struct iovec parts[2];
    int ends[2];
    struct mmsghdr *messages = two_messages(ends, parts);

    return sendmmsg(ends[1], messages, 2, 0) < 0;
}

static bool preadv2_beyond(void)
{
    struct iovec part = {chunk_of(SIZE), opaque_size(SIZE + 2)};

    return preadv2(fileno(file_of("some text of at least 26 bytes")), &part, 1, 0, 0) < 0;
}

static bool pwritev2_reads_beyond(void)
{
    struct iovec part = {chunk_of(SIZE), opaque_size(SIZE + 2)};

    return pwritev2(fileno(file_of("")), &part, 1, 0, 0) < 0;
}

#define BEYOND(name, many) name "\\(\\): writes " many " past the end of 0x[0-9a-f]+ \\(TINY, "

static const struct program table[] = {
    {"qsort_beyond", qsort_beyond, REPORTED, BEYOND("qsort", "8 bytes") "24 bytes"},
    {"qsort_of_freed", qsort_of_freed, REPORTED, "qsort\\(\\): writes to the freed chunk"},
    {"qsort_r_beyond", qsort_r_beyond, REPORTED, BEYOND("qsort_r", "8 bytes") "24 bytes"},
    {"poll_beyond", poll_beyond, REPORTED, BEYOND("poll", "8 bytes") "24 bytes"},
    {"poll_chk_beyond", poll_chk_beyond, REPORTED, BEYOND("poll", "8 bytes") "24 bytes"},
    {"ppoll_beyond", ppoll_beyond, REPORTED, BEYOND("ppoll", "8 bytes") "24 bytes"},
    {"select_beyond", select_beyond, REPORTED, BEYOND("select", "8 bytes") "8 bytes"},
    {"pselect_beyond", pselect_beyond, REPORTED, BEYOND("pselect", "8 bytes") "8 bytes"},
    {"epoll_wait_beyond", epoll_wait_beyond, REPORTED, BEYOND("epoll_wait", "12 bytes")},
    {"epoll_pwait_beyond", epoll_pwait_beyond, REPORTED, BEYOND("epoll_pwait", "12 bytes")},
    {"getentropy_beyond", getentropy_beyond, REPORTED, BEYOND("getentropy", "8 bytes")},
    {"recvmmsg_beyond", recvmmsg_beyond, REPORTED, BEYOND("recvmmsg", "76 bytes") "24 bytes"},
    {"sendmmsg_reads_beyond", sendmmsg_reads_beyond, REPORTED,
     "sendmmsg\\(\\): reads 76 bytes past"},
    {"preadv2_beyond", preadv2_beyond, REPORTED, BEYOND("preadv2", "2 bytes") "24 bytes"},
    {"pwritev2_reads_beyond", pwritev2_reads_beyond, REPORTED,
     "pwritev2\\(\\): reads 2 bytes past"},
};
PROGRAMS(arrays, "array");
