/*
 * Functions that write a name, an address or a date as a text: realpath, gethostname, inet_ntop,
 * strftime and their relatives. If the caller allows more bytes than the chunk has, the text is
 * made elsewhere first, so only one that is too long is reported.
 */
#include "checked.h"
#include "real.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>

#define CALLER __builtin_return_address(0)

CHECKED_API char *checked_realpath(const char *, char *) CHECKED_NAME(realpath);
CHECKED_API char *checked_realpath_chk(const char *, char *, size_t) CHECKED_NAME(__realpath_chk);
CHECKED_API int checked_gethostname(char *, size_t) CHECKED_NAME(gethostname);
CHECKED_API int checked_gethostname_chk(char *, size_t, size_t) CHECKED_NAME(__gethostname_chk);
CHECKED_API const char *checked_inet_ntop(int, const void *, char *, socklen_t)
    CHECKED_NAME(inet_ntop);
CHECKED_API int checked_inet_pton(int, const char *, void *) CHECKED_NAME(inet_pton);
CHECKED_API size_t checked_strftime(char *, size_t, const char *, const struct tm *)
    CHECKED_NAME(strftime) __attribute__((format(strftime, 3, 0)));
CHECKED_API size_t checked_strftime_l(char *, size_t, const char *, const struct tm *, locale_t)
    CHECKED_NAME(strftime_l) __attribute__((format(strftime, 3, 0)));
CHECKED_API size_t checked_wcsftime(wchar_t *, size_t, const wchar_t *, const struct tm *)
    CHECKED_NAME(wcsftime);
CHECKED_API size_t checked_wcsftime_l(wchar_t *, size_t, const wchar_t *, const struct tm *,
                                      locale_t) CHECKED_NAME(wcsftime_l);
CHECKED_API char *checked_asctime_r(const struct tm *, char *) CHECKED_NAME(asctime_r);
CHECKED_API char *checked_ctime_r(const time_t *, char *) CHECKED_NAME(ctime_r);
CHECKED_API struct tm *checked_gmtime_r(const time_t *, struct tm *) CHECKED_NAME(gmtime_r);
CHECKED_API struct tm *checked_localtime_r(const time_t *, struct tm *) CHECKED_NAME(localtime_r);

/* A longer date is let pass. */
enum { DATE_MAX = 1000 };

CHECKED_INLINE char *put(const char *function, char *to, const char *text)
{
    size_t size = strlen(text) + 1;

    check_write(function, to, size);
    return real()->memmove(to, text, size);
}

/* If there is no such file, the C library stores how far it came. */
CHECKED_INLINE char *realpath_to(const char *path, char *to)
{
    char found[PATH_MAX] = {0}, *result;

    if (to == NULL || __builtin_expect(bounds_hold(to, sizeof found), true))
        return real()->realpath(path, to);
    result = real()->realpath(path, found);
    if (found[0] != '\0')
        (void)put("realpath()", to, found);
    return result == NULL ? NULL : to;
}

char *checked_realpath(const char *path, char *to)
{
    return realpath_to(path, to);
}

char *checked_realpath_chk(const char *path, char *to, size_t object)
{
    check_object(PATH_MAX, object);
    return realpath_to(path, to);
}

/* Linux's names have 64 characters at most. If one is too long, as much as fits is stored. */
CHECKED_INLINE int gethostname_to(char *to, size_t size)
{
    char name[HOST_NAME_MAX + 1];
    int result;

    if (__builtin_expect(bounds_room(to) >= size, true))
        return real()->gethostname(to, size);
    result = real()->gethostname(name, size < sizeof name ? size : sizeof name);
    if (result == 0)
        (void)put("gethostname()", to, name);
    else
        check_write("gethostname()", to, size);
    return result;
}

int checked_gethostname(char *to, size_t size)
{
    return gethostname_to(to, size);
}

int checked_gethostname_chk(char *to, size_t size, size_t object)
{
    check_object(size, object);
    return gethostname_to(to, size);
}

CHECKED_INLINE size_t address_size(int family)
{
    return family == AF_INET    ? sizeof(struct in_addr)
           : family == AF_INET6 ? sizeof(struct in6_addr)
                                : 0;
}

const char *checked_inet_ntop(int family, const void *from, char *to, socklen_t size)
{
    char text[INET6_ADDRSTRLEN];

    check_read("inet_ntop()", from, address_size(family));
    if (__builtin_expect(bounds_room(to) >= size, true))
        return real()->inet_ntop(family, from, to, size);
    if (real()->inet_ntop(family, from, text, size < sizeof text ? size : sizeof text) == NULL)
        return NULL;
    return put("inet_ntop()", to, text);
}

int checked_inet_pton(int family, const char *text, void *to)
{
    unsigned char address[sizeof(struct in6_addr)];
    size_t size = address_size(family);
    int result;

    if (__builtin_expect(bounds_hold(to, size), true))
        return real()->inet_pton(family, text, to);
    result = real()->inet_pton(family, text, address);
    if (result == 1) {
        check_write("inet_pton()", to, size);
        (void)real()->memmove(to, address, size);
    }
    return result;
}

/*
 * strftime() returns 0 if the text does not fit, and does not say how long it is. Then the text is
 * made elsewhere. It is also 0 for an empty text, which needs one byte.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

CHECKED_INLINE size_t date(char *to, size_t size, const char *format, const struct tm *time,
                           locale_t locale)
{
    return locale == (locale_t)0 ? real()->strftime(to, size, format, time)
                                 : real()->strftime_l(to, size, format, time, locale);
}

CHECKED_INLINE size_t date_to(const char *function, char *to, size_t size, const char *format,
                              const struct tm *time, locale_t locale)
{
    size_t room = bounds_room(to), length;
    char place[DATE_MAX];

    if (__builtin_expect(size <= room, true))
        return date(to, size, format, time, locale);
    length = date(to, room, format, time, locale);
    if (length != 0)
        return length;
    length = date(place, size < sizeof place ? size : sizeof place, format, time, locale);
    check_write(function, to, length + 1);
    return length == 0 ? 0 : date(to, size, format, time, locale);
}

size_t checked_strftime(char *to, size_t size, const char *format, const struct tm *time)
{
    return date_to("strftime()", to, size, format, time, (locale_t)0);
}

size_t checked_strftime_l(char *to, size_t size, const char *format, const struct tm *time,
                          locale_t locale)
{
    return date_to("strftime_l()", to, size, format, time, locale);
}

#pragma GCC diagnostic pop

CHECKED_INLINE size_t wide_date(wchar_t *to, size_t count, const wchar_t *format,
                                const struct tm *time, locale_t locale)
{
    return locale == (locale_t)0 ? real()->wcsftime(to, count, format, time)
                                 : real()->wcsftime_l(to, count, format, time, locale);
}

CHECKED_INLINE size_t wide_date_to(const char *function, wchar_t *to, size_t count,
                                   const wchar_t *format, const struct tm *time, locale_t locale)
{
    size_t room = wide_room(to), length;
    wchar_t place[DATE_MAX];

    if (__builtin_expect(count <= room, true))
        return wide_date(to, count, format, time, locale);
    length = wide_date(to, room, format, time, locale);
    if (length != 0)
        return length;
    length = wide_date(place, count < DATE_MAX ? count : DATE_MAX, format, time, locale);
    check_write(function, to, (length + 1) * sizeof *to);
    return length == 0 ? 0 : wide_date(to, count, format, time, locale);
}

size_t checked_wcsftime(wchar_t *to, size_t count, const wchar_t *format, const struct tm *time)
{
    return wide_date_to("wcsftime()", to, count, format, time, (locale_t)0);
}

size_t checked_wcsftime_l(wchar_t *to, size_t count, const wchar_t *format, const struct tm *time,
                          locale_t locale)
{
    return wide_date_to("wcsftime_l()", to, count, format, time, locale);
}

/* Years of more digits than four make the text longer than the 26 bytes that are promised. */
enum { ASCTIME_MAX = 80 };

char *checked_asctime_r(const struct tm *time, char *to)
{
    char text[ASCTIME_MAX];

    if (__builtin_expect(bounds_hold(to, sizeof text), true))
        return real()->asctime_r(time, to);
    return real()->asctime_r(time, text) == NULL ? NULL : put("asctime_r()", to, text);
}

char *checked_ctime_r(const time_t *time, char *to)
{
    char text[ASCTIME_MAX];

    if (__builtin_expect(bounds_hold(to, sizeof text), true))
        return real()->ctime_r(time, to);
    return real()->ctime_r(time, text) == NULL ? NULL : put("ctime_r()", to, text);
}

struct tm *checked_gmtime_r(const time_t *time, struct tm *to)
{
    check_write("gmtime_r()", to, sizeof *to);
    return real()->gmtime_r(time, to);
}

struct tm *checked_localtime_r(const time_t *time, struct tm *to)
{
    check_write("localtime_r()", to, sizeof *to);
    return real()->localtime_r(time, to);
}
