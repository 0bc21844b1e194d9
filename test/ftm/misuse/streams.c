/*
 * More arrives from a file or a socket than the chunk has room for, or more is sent than it has.
 */
#include "programs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wchar.h>

enum { SIZE = 24, MORE = 100 };

static char bytes[MORE];

static void make_bytes(void)
{
    memset(bytes, 'b', sizeof bytes);
    bytes[MORE - 1] = '\n';
}

/* Returns a file from which MORE bytes can be read. */
static FILE *file_of_bytes(void)
{
    FILE *file = tmpfile();

    make_bytes();
    if (file == NULL || fwrite(bytes, 1, MORE, file) != MORE)
        exit(99);
    rewind(file);
    return file;
}

/* Returns a socket from which a message of MORE bytes can be read. */
static int socket_of_bytes(int type)
{
    int ends[2];

    make_bytes();
    if (socketpair(AF_UNIX, type, 0, ends) != 0 || write(ends[0], bytes, MORE) != MORE)
        exit(99);
    return ends[1];
}

static bool read_beyond(void)
{
    return read(fileno(file_of_bytes()), chunk_of(SIZE), opaque_size(MORE)) < 0;
}

static bool read_to_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    return read(fileno(file_of_bytes()), opaque(chunk), 4) < 0;
}

static bool pread_beyond(void)
{
    return pread(fileno(file_of_bytes()), chunk_of(SIZE), opaque_size(SIZE + 1), 2) < 0;
}

static bool recv_beyond(void)
{
    return recv(socket_of_bytes(SOCK_STREAM), chunk_of(SIZE), opaque_size(MORE), 0) < 0;
}

static bool recv_message_beyond(void)
{
    return recv(socket_of_bytes(SOCK_DGRAM), chunk_of(SIZE), opaque_size(MORE), 0) < 0;
}

static bool recvfrom_beyond(void)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    return recvfrom(socket_of_bytes(SOCK_DGRAM), chunk_of(SIZE), opaque_size(MORE), 0,
                    (struct sockaddr *)&address, &length) < 0;
}

static bool fread_beyond(void)
{
    return fread(chunk_of(SIZE), 1, opaque_size(MORE), file_of_bytes()) == 0;
}

static bool fread_items_beyond(void)
{
    return fread(chunk_of(SIZE), 8, opaque_size(4), file_of_bytes()) == 0;
}

static bool fgets_beyond(void)
{
    return fgets(chunk_of(SIZE), (int)opaque_size(MORE), file_of_bytes()) == NULL;
}

static bool fgets_off_by_one(void)
{
    return fgets(chunk_of(SIZE), (int)opaque_size(SIZE + 1), file_of_bytes()) == NULL;
}

static bool fgetws_beyond(void)
{
    wchar_t *chunk = (wchar_t *)(void *)chunk_of(SIZE * sizeof(wchar_t));

    /* A stream that bytes were written to gives no wide characters. */
    FILE *file = fdopen(dup(fileno(file_of_bytes())), "r");

    return fgetws(chunk, (int)opaque_size(MORE), file) == NULL;
}

/* The header does not declare it any more. */
char *gets(char *to);

static bool gets_beyond(void)
{
    if (dup2(fileno(file_of_bytes()), STDIN_FILENO) != STDIN_FILENO)
        exit(99);
    return gets(chunk_of(SIZE)) == NULL;
}

/* A part that fits, one of SIZE bytes that is said to have MORE, and one that is never reached. */
static struct iovec *three_parts(void)
{
    static struct iovec parts[3];
    static char last[MORE];

    parts[0] = (struct iovec){chunk_of(2), opaque_size(2)};
    parts[1] = (struct iovec){chunk_of(SIZE), opaque_size(MORE)};
    parts[2] = (struct iovec){last, sizeof last};
    return parts;
}

static bool readv_beyond(void)
{
    return readv(fileno(file_of_bytes()), three_parts(), (int)opaque_size(3)) < 0;
}

static bool preadv_beyond(void)
{
    return preadv(fileno(file_of_bytes()), three_parts(), (int)opaque_size(3), 8) < 0;
}

static bool recvmsg_beyond(void)
{
    struct msghdr message = {.msg_iov = three_parts(), .msg_iovlen = opaque_size(3)};

    return recvmsg(socket_of_bytes(SOCK_DGRAM), &message, 0) < 0;
}

static bool writev_reads_beyond(void)
{
    return writev(socket_of_bytes(SOCK_STREAM), three_parts(), (int)opaque_size(2)) < 0;
}

static bool pwritev_reads_beyond(void)
{
    return pwritev(fileno(file_of_bytes()), three_parts(), (int)opaque_size(2), 0) < 0;
}

static bool sendmsg_reads_beyond(void)
{
    struct msghdr message = {.msg_iov = three_parts(), .msg_iovlen = opaque_size(2)};

    return sendmsg(socket_of_bytes(SOCK_STREAM), &message, 0) < 0;
}

/* What is behind the chunk was one, too. */
static bool writev_reads_freed_neighbour(void)
{
    char *chunk = two_side_by_side(8192);
    struct iovec part = {chunk == NULL ? chunk_of(8192) : chunk, opaque_size(16384)};

    if (chunk != NULL)
        free(opaque(chunk + 8192));
    return writev(fileno(file_of_bytes()), &part, 1) < 0;
}

static bool readlinkat_beyond(void)
{
    return readlinkat(AT_FDCWD, "/proc/self/exe", chunk_of(4), opaque_size(MORE)) < 0;
}

static bool getcwd_beyond(void)
{
    return chdir("/proc/self/fd") != 0 || getcwd(chunk_of(8), opaque_size(MORE)) == NULL;
}

static bool readlink_beyond(void)
{
    return readlink("/proc/self/exe", chunk_of(4), opaque_size(MORE)) < 0;
}

static bool getrandom_beyond(void)
{
    return getrandom(chunk_of(SIZE), opaque_size(SIZE + 8), 0) < 0;
}

static bool write_reads_beyond(void)
{
    return write(socket_of_bytes(SOCK_STREAM), chunk_of(SIZE), opaque_size(SIZE + 8)) < 0;
}

static bool write_of_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    return write(socket_of_bytes(SOCK_STREAM), opaque(chunk), 4) < 0;
}

/* The length is what the other side says it is. */
static bool send_reads_beyond(void)
{
    return send(socket_of_bytes(SOCK_STREAM), chunk_of(SIZE), opaque_size(64), 0) < 0;
}

static bool fwrite_reads_beyond(void)
{
    return fwrite(chunk_of(SIZE), 1, opaque_size(MORE), file_of_bytes()) == 0;
}

#define BEYOND(name, many) name "\\(\\): writes " many " past the end of 0x[0-9a-f]+ \\(TINY, 24"

static const struct program table[] = {
    {"read_beyond", read_beyond, REPORTED, BEYOND("read", "76 bytes")},
    {"read_to_freed", read_to_freed, REPORTED, "read\\(\\): writes to the freed chunk"},
    {"pread_beyond", pread_beyond, REPORTED, BEYOND("pread", "1 byte")},
    {"recv_beyond", recv_beyond, REPORTED, BEYOND("recv", "76 bytes")},
    {"recv_message_beyond", recv_message_beyond, REPORTED, BEYOND("recv", "76 bytes")},
    {"recvfrom_beyond", recvfrom_beyond, REPORTED, BEYOND("recvfrom", "76 bytes")},
    {"fread_beyond", fread_beyond, REPORTED, BEYOND("fread", "1 byte")},
    {"fread_items_beyond", fread_items_beyond, REPORTED, BEYOND("fread", "1 byte")},
    {"fgets_beyond", fgets_beyond, REPORTED, BEYOND("fgets", "1 byte")},
    {"fgets_off_by_one", fgets_off_by_one, REPORTED, BEYOND("fgets", "1 byte")},
    {"fgetws_beyond", fgetws_beyond, REPORTED, "fgetws\\(\\): writes 4 bytes past.*96 bytes"},
    {"gets_beyond", gets_beyond, REPORTED, BEYOND("gets", "1 byte")},
    {"readlink_beyond", readlink_beyond, REPORTED, "readlink\\(\\): writes .*TINY, 4 bytes"},
    {"readlinkat_beyond", readlinkat_beyond, REPORTED, "readlinkat\\(\\): writes .*TINY, 4 bytes"},
    {"getcwd_beyond", getcwd_beyond, REPORTED, "getcwd\\(\\): writes .*TINY, 8 bytes"},
    {"readv_beyond", readv_beyond, REPORTED, BEYOND("readv", "74 bytes")},
    {"preadv_beyond", preadv_beyond, REPORTED, BEYOND("preadv", "66 bytes")},
    {"recvmsg_beyond", recvmsg_beyond, REPORTED, BEYOND("recvmsg", "74 bytes")},
    {"writev_reads_beyond", writev_reads_beyond, REPORTED, "writev\\(\\): reads 76 bytes past"},
    {"writev_reads_freed_neighbour", writev_reads_freed_neighbour, REPORTED,
     "writev\\(\\): reads 8192 bytes past"},
    {"pwritev_reads_beyond", pwritev_reads_beyond, REPORTED, "pwritev\\(\\): reads 76 bytes past"},
    {"sendmsg_reads_beyond", sendmsg_reads_beyond, REPORTED, "sendmsg\\(\\): reads 76 bytes past"},
    {"getrandom_beyond", getrandom_beyond, REPORTED, BEYOND("getrandom", "8 bytes")},
    {"write_reads_beyond", write_reads_beyond, REPORTED, "write\\(\\): reads 8 bytes past"},
    {"write_of_freed", write_of_freed, REPORTED, "write\\(\\): reads from the freed chunk"},
    {"send_reads_beyond", send_reads_beyond, REPORTED, "send\\(\\): reads 40 bytes past"},
    {"fwrite_reads_beyond", fwrite_reads_beyond, REPORTED, "fwrite\\(\\): reads 76 bytes past"},
};
PROGRAMS(streams, "stream");
