/*
 * More programs that do nothing wrong: sizes that are too large for the chunk, or none, although
 * what is written fits. Nothing may be reported, and the results are the C library's.
 */
#include "programs.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { SIZE = 24, WIDE = SIZE / sizeof(wchar_t), HUGE = 100000 };

static wchar_t *wide_chunk(void)
{
    return (wchar_t *)(void *)chunk_of(SIZE);
}

static bool wide_conversions_fit(void)
{
    const char *from = "fives", *part = "sixsix";
    wchar_t *to = wide_chunk();
    mbstate_t state = {0};

    return mbstowcs(to, from, opaque_size(HUGE)) == 5 && to[5] == L'\0' &&
           mbstowcs(NULL, from, 0) == 5 && mbsrtowcs(to, &from, opaque_size(HUGE), NULL) == 5 &&
           from == NULL && mbsnrtowcs(to, &part, 6, opaque_size(HUGE), &state) == 6 &&
           *part == '\0' && to[5] == L'x' && mbstowcs(to, "sixsix", WIDE) == WIDE;
}

static bool narrow_conversions_fit(void)
{
    const wchar_t *from = L"twenty-three characters", *part = L"24 characters, no zero: ";
    char *to = chunk_of(SIZE);
    mbstate_t state = {0};

    return wcstombs(to, from, opaque_size(HUGE)) == 23 && to[23] == '\0' &&
           wcstombs(NULL, from, 0) == 23 && wcsrtombs(to, &from, opaque_size(HUGE), NULL) == 23 &&
           from == NULL && wcsnrtombs(to, &part, SIZE, opaque_size(HUGE), &state) == SIZE &&
           *part == L'\0' && to[23] == ' ' && wctomb(to + 23, L'x') == 1 && wctomb(NULL, L'x') == 0;
}

/* The conversion ends at something that is no character, so nothing more is stored. */
static bool conversions_end_early(void)
{
    const wchar_t *from = L"\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\xd800";
    const char *text = "sixsix\xff";
    char *to = chunk_of(SIZE);
    mbstate_t state = {0};

    return setlocale(LC_ALL, "C.UTF-8") != NULL &&
           wcstombs(to, from, opaque_size(HUGE)) == (size_t)-1 && errno == EILSEQ &&
           mbstowcs(wide_chunk(), text, opaque_size(HUGE)) == (size_t)-1 &&
           wcrtomb(to + SIZE - 3, L'\u20ac', &state) == 3 &&
           mbsrtowcs(wide_chunk(), &text, opaque_size(HUGE), &state) == (size_t)-1 &&
           (unsigned char)*text == 0xff && wcstombs(to, L"\u20ac", 2) == 0;
}

static bool getline_fits(void)
{
    char *line = chunk_of(SIZE), *first = line;
    size_t size = opaque_size(HUGE);
    FILE *file = file_of("short\nhow long it is: longer than 24\n");

    if (getline(&line, &size, file) != 6 || line != first || strcmp(line, "short\n") != 0)
        return false;
    size = SIZE;
    return getline(&line, &size, file) == 31 && size >= 32 &&
           strcmp(line, "how long it is: longer than 24\n") == 0 &&
           getline(&line, &size, file) == -1 && feof(file);
}

/* The line is longer than what the caller says, so the C library makes a larger chunk. */
static bool getline_replaces(void)
{
    char *line = chunk_of(SIZE);
    size_t size = opaque_size(SIZE + 2);
    bool replaced = getline(&line, &size, file_of("it does not fit into 26 bytes\n")) == 30;

    free(line);
    line = NULL;
    size = opaque_size(HUGE);
    return replaced && getdelim(&line, &size, 'x', file_of("abx")) == 3 && size >= 4;
}

static bool texts_are_printed(void)
{
    char *text = memset(chunk_of(SIZE), 'x', SIZE - 1);

    text[SIZE - 1] = '\0';
    return fputs(text, stderr) >= 0 && fputs_unlocked(text, stderr) >= 0 && puts(text) >= 0 &&
           fputs("", stderr) >= 0 && wcscmp(wcsdup(L"abc"), L"abc") == 0;
}

static bool texts_are_cut_off(void)
{
    size_t (*copy)(char *, const char *, size_t) = dlsym(RTLD_DEFAULT, "strlcpy");
    size_t (*append)(char *, const char *, size_t) = dlsym(RTLD_DEFAULT, "strlcat");
    char *to = chunk_of(8), *unterminated = chunk_of(4);

    return copy(to, "ab", opaque_size(HUGE)) == 2 && append(to, "cd", opaque_size(HUGE)) == 4 &&
           strcmp(to, "abcd") == 0 && copy(to, "0123456789", 8) == 10 &&
           strcmp(to, "0123456") == 0 && copy(unterminated + 4, "abc", 0) == 3 &&
           append(unterminated, "abc", 4) == 7 && append(to, "x", 8) == 8;
}

static bool names_fit(void)
{
    char *to = chunk_of(SIZE);

    return realpath("/", to) == to && strcmp(to, "/") == 0 && realpath("/", NULL) != NULL &&
           realpath("/no file", to) == NULL && errno == ENOENT && realpath("", to) == NULL &&
           gethostname(chunk_of(HOST_NAME_MAX + 1), opaque_size(HUGE)) == 0;
}

static bool addresses_fit(void)
{
    struct in6_addr *address = (void *)chunk_of(sizeof *address);
    char *to = chunk_of(SIZE);

    return inet_pton(AF_INET6, "fe80::1", address) == 1 &&
           inet_ntop(AF_INET6, address, to, INET6_ADDRSTRLEN) == to && strcmp(to, "fe80::1") == 0 &&
           inet_pton(AF_INET, "1.2.3.4", chunk_of(4)) == 1 &&
           inet_pton(AF_INET6, "no address", chunk_of(1)) == 0 &&
           inet_pton(AF_UNIX, "::", chunk_of(1)) == -1 && errno == EAFNOSUPPORT &&
           inet_ntop(AF_INET6, address, to, 2) == NULL && errno == ENOSPC;
}

static bool dates_fit(void)
{
    const struct tm day = {.tm_year = 126, .tm_mon = 10, .tm_mday = 29};
    const time_t moment = 0;
    char *to = chunk_of(11);
    wchar_t *wide = (wchar_t *)(void *)chunk_of(11 * sizeof *wide);

    return strftime(to, opaque_size(HUGE), "%Y-%m-%d", &day) == 10 &&
           strcmp(to, "2026-11-29") == 0 && strftime(to, opaque_size(HUGE), "", &day) == 0 &&
           strftime(to, 5, "%Y-%m-%d", &day) == 0 &&
           wcsftime(wide, opaque_size(HUGE), L"%Y-%m-%d", &day) == 10 && wide[9] == L'9' &&
           wcsftime(wide, opaque_size(HUGE), L"", &day) == 0 &&
           strlen(ctime_r(&moment, chunk_of(26))) == 25 &&
           strlen(asctime_r(&day, chunk_of(26))) == 25;
}

static int by_byte(const void *one, const void *other)
{
    return *(const char *)one - *(const char *)other;
}

static bool arrays_are_whole(void)
{
    char *chunk = strcpy(chunk_of(SIZE), "twenty-three characters");
    struct pollfd *fds = memset(chunk_of(2 * sizeof *fds), -1, 2 * sizeof *fds);
    fd_set *set = memset(chunk_of(8), 0, 8);
    struct timeval none = {0, 0};

    qsort(chunk, SIZE, 1, by_byte);
    qsort(chunk, 1, opaque_size(HUGE), by_byte);
    qsort(NULL, 0, 1, by_byte);
    return chunk[0] == '\0' && poll(fds, 2, 0) == 0 && poll(NULL, 0, 0) == 0 &&
           select(64, set, NULL, NULL, &none) == 0 && select(0, NULL, NULL, NULL, &none) == 0 &&
           select(-1, NULL, set, NULL, &none) == -1 && errno == EINVAL &&
           getentropy(chunk, SIZE) == 0 && getentropy(chunk, opaque_size(HUGE)) == -1;
}

static bool events_are_fewer(void)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = 7};
    struct epoll_event *events = (void *)chunk_of(sizeof *events);
    int epoll = epoll_create1(0), ends[2];

    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 &&
           epoll_wait(epoll, events, (int)opaque_size(HUGE), 0) == 0 &&
           epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0 &&
           epoll_wait(epoll, events, (int)opaque_size(HUGE), 0) == 1 && events->data.u32 == 7 &&
           epoll_wait(epoll, events, 0, 0) == -1 && errno == EINVAL;
}

/* Each message may be as long as the caller says, but is shorter. */
static bool messages_are_shorter(void)
{
    struct iovec parts[2] = {{chunk_of(SIZE), opaque_size(HUGE)}, {chunk_of(SIZE), SIZE}};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &parts[0], .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = &parts[1], .msg_iovlen = 1}}};
    int ends[2], got;

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0 || write(ends[0], "abc", 3) != 3 ||
        write(ends[0], "defg", 4) != 4)
        return false;
    got = recvmmsg(ends[1], messages, 2, 0, NULL);
    if (got == 1)
        got += recvmmsg(ends[1], messages + 1, 1, 0, NULL);
    return got == 2 && messages[0].msg_len == 3 && messages[1].msg_len == 4 &&
           messages[0].msg_hdr.msg_iov == parts && memcmp(parts[0].iov_base, "abcx", 4) == 0 &&
           memcmp(parts[1].iov_base, "defgx", 5) == 0;
}

static const struct program table[] = {
    {"wide_conversions_fit", wide_conversions_fit, HARMLESS, NULL},
    {"narrow_conversions_fit", narrow_conversions_fit, HARMLESS, NULL},
    {"conversions_end_early", conversions_end_early, HARMLESS, NULL},
    {"getline_fits", getline_fits, HARMLESS, NULL},
    {"getline_replaces", getline_replaces, HARMLESS, NULL},
    {"texts_are_printed", texts_are_printed, HARMLESS, NULL},
    {"texts_are_cut_off", texts_are_cut_off, HARMLESS, NULL},
    {"names_fit", names_fit, HARMLESS, NULL},
    {"addresses_fit", addresses_fit, HARMLESS, NULL},
    {"dates_fit", dates_fit, HARMLESS, NULL},
    {"arrays_are_whole", arrays_are_whole, HARMLESS, NULL},
    {"events_are_fewer", events_are_fewer, HARMLESS, NULL},
    {"messages_are_shorter", messages_are_shorter, HARMLESS, NULL},
};
PROGRAMS(fine_calls, "fine");
