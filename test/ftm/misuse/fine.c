/*
 * Programs that do nothing wrong, although it looks like it. Nothing may be reported.
 */
#include "programs.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wchar.h>

enum { SIZE = 24 };

/* The caller allows more bytes than there are, but the text is shorter. */
static bool snprintf_fits(void)
{
    char *chunk = chunk_of(SIZE);

    return snprintf(chunk, opaque_size(1000), "%d", 12345) == 5 && strcmp(chunk, "12345") == 0;
}

static bool sprintf_fills(void)
{
    char *chunk = chunk_of(SIZE);

    return sprintf(chunk, "%0*d", SIZE - 1, 7) == SIZE - 1 && chunk[SIZE - 2] == '7';
}

static bool swprintf_fits(void)
{
    wchar_t *chunk = (wchar_t *)(void *)chunk_of(SIZE);

    return swprintf(chunk, opaque_size(1000), L"%d", 12345) == 5 && chunk[4] == L'5';
}

static bool read_gets_less(void)
{
    char *chunk = chunk_of(SIZE);
    int ends[2];

    return pipe(ends) == 0 && write(ends[1], "abc", 3) == 3 &&
           read(ends[0], chunk, opaque_size(1000)) == 3 && memcmp(chunk, "abcx", 4) == 0;
}

static bool recv_gets_less(void)
{
    char *chunk = chunk_of(SIZE);
    int ends[2];

    return socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0 && write(ends[1], "abc", 3) == 3 &&
           recv(ends[0], chunk, opaque_size(1000), 0) == 3 && memcmp(chunk, "abcx", 4) == 0;
}

/* Each part is said to have more room than it has, but the first one takes all that arrives. */
static bool vectors_get_less(void)
{
    char *chunk = chunk_of(SIZE);
    struct iovec parts[2] = {{chunk, opaque_size(1000)}, {chunk_of(SIZE), opaque_size(1000)}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    int ends[2];

    return socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0 && write(ends[1], "abc", 3) == 3 &&
           write(ends[1], "defg", 4) == 4 && readv(ends[0], parts, 2) == 3 &&
           memcmp(chunk, "abcx", 4) == 0 && recvmsg(ends[0], &message, 0) == 4 &&
           memcmp(chunk, "defgx", 5) == 0 && message.msg_iov == parts && message.msg_iovlen == 2;
}

/* A vector is filled part by part, and the last one is the chunk's as far as that reaches. */
static bool vectors_fill(void)
{
    char *one = chunk_of(3), *other = chunk_of(3);
    struct iovec parts[2] = {{one, 3}, {other, opaque_size(1000)}};
    int ends[2];

    return pipe(ends) == 0 && write(ends[1], "abcdef", 6) == 6 && readv(ends[0], parts, 2) == 6 &&
           memcmp(one, "abc", 3) == 0 && memcmp(other, "def", 3) == 0;
}

/* nginx hands buffers that lie side by side to the kernel as one. */
static bool joined_chunks_are_sent(void)
{
    char *chunk = two_side_by_side(8192);
    struct iovec part = {chunk == NULL ? chunk_of(16384) : chunk, opaque_size(16384)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    FILE *file = tmpfile();
    int fd = fileno(file), ends[2];

    return write(fd, part.iov_base, part.iov_len) == 16384 && writev(fd, &part, 1) == 16384 &&
           pwrite(fd, part.iov_base, part.iov_len, 0) == 16384 &&
           preadv(fd, &part, 1, 0) == 16384 && socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0 &&
           sendmsg(ends[0], &message, 0) == 16384 && recvmsg(ends[1], &message, 0) == 16384 &&
           send(ends[0], part.iov_base, part.iov_len, 0) == 16384;
}

static bool getcwd_fits(void)
{
    char *chunk = chunk_of(SIZE);

    return chdir("/proc") == 0 && getcwd(chunk, opaque_size(1000)) == chunk &&
           strcmp(chunk, "/proc") == 0 && getcwd(chunk, opaque_size(3)) == NULL &&
           getcwd(NULL, 0) != NULL;
}

static bool fread_gets_less(void)
{
    char *chunk = chunk_of(SIZE);
    FILE *file = file_of("twenty-four bytes of it!");

    return fread(chunk, 1, opaque_size(1000), file) == SIZE && feof(file) &&
           memcmp(chunk, "twenty-four bytes of it!", SIZE) == 0;
}

static bool fgets_gets_less(void)
{
    char *chunk = chunk_of(SIZE);
    FILE *file = file_of("a line\nanother\n");

    return fgets(chunk, (int)opaque_size(1000), file) == chunk && strcmp(chunk, "a line\n") == 0 &&
           fgets(chunk, (int)opaque_size(1000), file) == chunk && strcmp(chunk, "another\n") == 0 &&
           fgets(chunk, (int)opaque_size(1000), file) == NULL;
}

static bool fgets_fills(void)
{
    char *chunk = chunk_of(8);

    return fgets(chunk, 8, file_of("0123456789\n")) == chunk && strcmp(chunk, "0123456") == 0;
}

static bool readlink_fits(void)
{
    return readlink("/proc/self/exe", chunk_of(4096), opaque_size(100000)) > 0;
}

static bool memccpy_finds_it(void)
{
    char *chunk = chunk_of(SIZE);

    return memccpy(chunk, opaque((void *)(size_t) "key=value"), '=', opaque_size(1000)) ==
           chunk + 4;
}

static bool memcmp_finds_a_difference(void)
{
    return memcmp(chunk_of(SIZE), opaque((void *)(size_t) "a shorter text than that"),
                  opaque_size(SIZE)) != 0;
}

static bool strncpy_stops_at_the_end(void)
{
    char *from = chunk_of(SIZE), *to = chunk_of(100);

    from[SIZE - 1] = '\0';
    return strncpy(to, from, opaque_size(100)) == to && to[99] == '\0';
}

static bool nothing_is_copied(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    memcpy(opaque(chunk), "x", opaque_size(0));
    memmove(opaque(chunk) + 1000, opaque(chunk), opaque_size(0));
    return memset(opaque(chunk), 0, opaque_size(0)) == chunk;
}

/* What the allocator says is usable, is. */
static bool usable_size_is_usable(void)
{
    bool fine = true;

    for (size_t size = 1; size < 400000; size += size / 3 + 1) {
        char *chunk = opaque(malloc(size));
        size_t usable = malloc_usable_size(chunk);

        fine = fine && usable >= size && memset(chunk, 1, usable) == chunk;
        free(chunk);
    }
    return fine;
}

static bool whole_chunks_are_copied(void)
{
    bool fine = true;

    for (size_t size = 1; size < 4 << 20; size += size / 3 + 1) {
        char *from = chunk_of(size), *to = opaque(malloc(size));

        memcpy(to, from, size);
        fine = fine && memcmp(to, from, size) == 0;
        to = opaque(realloc(to, size + 100));
        memset(to + size, 0, 100);
        free(from);
        free(to);
    }
    return fine;
}

/* Also where the ranges overlap: no byte is written before it was read. */
static bool moved_as_by_hand(size_t size, size_t from, size_t to)
{
    unsigned char *chunk = opaque(malloc(size + 8)), expected[128];
    bool fine;

    for (size_t n = 0; n < size + 8; n++)
        chunk[n] = expected[n] = (unsigned char)(n * 7 + 1);
    for (size_t n = 0; n < size; n++)
        expected[to + n] = chunk[from + n];
    fine = memmove(chunk + to, chunk + from, size) == chunk + to;
    for (size_t n = 0; n < size + 8; n++)
        fine = fine && chunk[n] == expected[n];
    free(chunk);
    return fine;
}

static bool short_ranges_are_moved(void)
{
    bool fine = true;

    for (size_t size = 0; size < 100; size++)
        for (size_t at = 0; at <= 8; at++)
            fine = fine && moved_as_by_hand(size, at, 8 - at);
    return fine;
}

/* Bytes are compared as unsigned numbers, and the first that differ decide. */
static bool short_ranges_are_compared(void)
{
    bool fine = true;

    for (size_t size = 1; size < 100; size++) {
        unsigned char *one = opaque(malloc(size)), *other = opaque(malloc(size));

        memset(one, 0x7f, size);
        memcpy(other, one, size);
        fine = fine && memcmp(one, other, size) == 0 && memcmp(one, other, 0) == 0;
        for (size_t n = size; n-- > 0;) {
            other[n] = n % 2 == 0 ? 0x80 : 0x7e;
            fine = fine && (memcmp(one, other, size) < 0) == (n % 2 == 0) &&
                   memcmp(one, other, size) != 0 && memcmp(one, other, n) == 0 &&
                   bcmp(one, other, size) != 0;
        }
        free(one);
        free(other);
    }
    return fine;
}

static bool strings_fill_their_chunks(void)
{
    char *text = opaque(malloc(6)), *copy;

    strcpy(text, "hel");
    strcat(text, "lo");
    copy = strdup(text);
    return strcmp(copy, "hello") == 0 && strlen(strcpy(text, copy)) == 5;
}

/* A width that is too large, or none, for words that fit. */
static bool scanf_fits(void)
{
    char *word = chunk_of(SIZE), *other = chunk_of(8);
    int number = 0, seen = 0;

    return sscanf("twenty-three bytes", "%s %1000[a-f]", word, other) == 2 &&
           strcmp(word, "twenty-three") == 0 && strcmp(other, "b") == 0 && other[2] == 'x' &&
           sscanf("12 abcdefg %34", "%d%s %%%*d%n", &number, other, &seen) == 2 && seen == 14 &&
           number == 12 && strcmp(other, "abcdefg") == 0;
}

/* What is not read is not stored, and the result is that of the C library. */
static bool scanf_stops_early(void)
{
    char *chunk = chunk_of(8);
    char *short_one = chunk_of(1);

    return sscanf("abc", "%1000c%s", chunk, short_one) == 1 && memcmp(chunk, "abcxx", 5) == 0 &&
           sscanf("12", "%*d %s%n", short_one, (int *)(void *)short_one) == EOF &&
           sscanf("12 a", "%*d b%n %s", (int *)(void *)short_one, short_one) == 0 &&
           sscanf("12", "%hhd %[z]", (signed char *)short_one, chunk) == 1 && *short_one == 12 &&
           sscanf("a", "%[z]", chunk) == 0 && memcmp(chunk, "abcxx", 5) == 0;
}

/* %as allocated before C99, as %ms does, so the chunk is one for a pointer. */
static bool scanf_allocates(void)
{
    char **place = (char **)(void *)chunk_of(sizeof *place);
    char **other = (char **)(void *)chunk_of(sizeof *other);

    return old_sscanf("a-word another", "%as %m[a-z]", place, other) == 2 &&
           strcmp(*place, "a-word") == 0 && strcmp(*other, "another") == 0;
}

static const struct program table[] = {
    {"snprintf_fits", snprintf_fits, HARMLESS, NULL},
    {"sprintf_fills", sprintf_fills, HARMLESS, NULL},
    {"swprintf_fits", swprintf_fits, HARMLESS, NULL},
    {"read_gets_less", read_gets_less, HARMLESS, NULL},
    {"recv_gets_less", recv_gets_less, HARMLESS, NULL},
    {"vectors_get_less", vectors_get_less, HARMLESS, NULL},
    {"vectors_fill", vectors_fill, HARMLESS, NULL},
    {"joined_chunks_are_sent", joined_chunks_are_sent, HARMLESS, NULL},
    {"getcwd_fits", getcwd_fits, HARMLESS, NULL},
    {"fread_gets_less", fread_gets_less, HARMLESS, NULL},
    {"fgets_gets_less", fgets_gets_less, HARMLESS, NULL},
    {"fgets_fills", fgets_fills, HARMLESS, NULL},
    {"readlink_fits", readlink_fits, HARMLESS, NULL},
    {"memccpy_finds_it", memccpy_finds_it, HARMLESS, NULL},
    {"memcmp_finds_a_difference", memcmp_finds_a_difference, HARMLESS, NULL},
    {"strncpy_stops_at_the_end", strncpy_stops_at_the_end, HARMLESS, NULL},
    {"nothing_is_copied", nothing_is_copied, HARMLESS, NULL},
    {"usable_size_is_usable", usable_size_is_usable, HARMLESS, NULL},
    {"whole_chunks_are_copied", whole_chunks_are_copied, HARMLESS, NULL},
    {"short_ranges_are_moved", short_ranges_are_moved, HARMLESS, NULL},
    {"short_ranges_are_compared", short_ranges_are_compared, HARMLESS, NULL},
    {"scanf_fits", scanf_fits, HARMLESS, NULL},
    {"scanf_stops_early", scanf_stops_early, HARMLESS, NULL},
    {"scanf_allocates", scanf_allocates, HARMLESS, NULL},
    {"strings_fill_their_chunks", strings_fill_their_chunks, HARMLESS, NULL},
};
PROGRAMS(fine, "fine");
