/*
 * sprintf, snprintf and their relatives. A text is formatted once, into no more bytes than the
 * chunk has. If it does not fit, the result says how many bytes would have been written.
 */
#include "checked.h"
#include "real.h"

#include <stdlib.h>

#define CALLER __builtin_return_address(0)
#define FORMAT(text, first) __attribute__((format(printf, text, first)))

CHECKED_API int checked_sprintf(char *, const char *, ...) CHECKED_NAME(sprintf) FORMAT(2, 3);
CHECKED_API int checked_vsprintf(char *, const char *, va_list) CHECKED_NAME(vsprintf) FORMAT(2, 0);
CHECKED_API int checked_snprintf(char *, size_t, const char *, ...) CHECKED_NAME(snprintf)
    FORMAT(3, 4);
CHECKED_API int checked_vsnprintf(char *, size_t, const char *, va_list) CHECKED_NAME(vsnprintf)
    FORMAT(3, 0);
CHECKED_API int checked_sprintf_chk(char *, int, size_t, const char *, ...)
    CHECKED_NAME(__sprintf_chk) FORMAT(4, 5);
CHECKED_API int checked_vsprintf_chk(char *, int, size_t, const char *, va_list)
    CHECKED_NAME(__vsprintf_chk) FORMAT(4, 0);
CHECKED_API int checked_snprintf_chk(char *, size_t, int, size_t, const char *, ...)
    CHECKED_NAME(__snprintf_chk) FORMAT(5, 6);
CHECKED_API int checked_vsnprintf_chk(char *, size_t, int, size_t, const char *, va_list)
    CHECKED_NAME(__vsnprintf_chk) FORMAT(5, 0);
CHECKED_API int checked_swprintf(wchar_t *, size_t, const wchar_t *, ...) CHECKED_NAME(swprintf);
CHECKED_API int checked_vswprintf(wchar_t *, size_t, const wchar_t *, va_list)
    CHECKED_NAME(vswprintf);
CHECKED_API int checked_swprintf_chk(wchar_t *, size_t, int, size_t, const wchar_t *, ...)
    CHECKED_NAME(__swprintf_chk);
CHECKED_API int checked_vswprintf_chk(wchar_t *, size_t, int, size_t, const wchar_t *, va_list)
    CHECKED_NAME(__vswprintf_chk);

/* What is formatted, and how the caller called it; `flag` is -1 if not by a __..._chk function. */
struct formatted {
    const char *function;
    char *to;
    size_t size; /* SIZE_MAX if the caller gives none */
    int flag;
    size_t object;
    const char *format;
    const void *caller;
};

static int format_into(const struct formatted *formatted, size_t size, va_list arguments)
{
    if (formatted->flag < 0)
        return real()->vsnprintf(formatted->to, size, formatted->format, arguments);
    return real()->vsnprintf_chk(formatted->to, size, formatted->flag, formatted->object,
                                 formatted->format, arguments);
}

static int format_anyhow(const struct formatted *formatted, va_list arguments)
{
    if (formatted->size != SIZE_MAX)
        return format_into(formatted, formatted->size, arguments);
    if (formatted->flag < 0)
        return real()->vsprintf(formatted->to, formatted->format, arguments);
    return real()->vsprintf_chk(formatted->to, formatted->flag, formatted->object,
                                formatted->format, arguments);
}

static int format(const struct formatted *formatted, va_list arguments)
{
    size_t room = bounds_room(formatted->to), bytes;
    va_list again;
    int length;

    /* The caller's own bound is at least as strict. */
    if (formatted->size <= room || formatted->object <= room)
        return format_anyhow(formatted, arguments);
    va_copy(again, arguments);
    length = format_into(formatted, room, arguments);
    if (__builtin_expect(length >= 0 && (size_t)length >= room, false)) {
        bytes = (size_t)length < formatted->size ? (size_t)length + 1 : formatted->size;
        checked_fail(formatted->function, formatted->to, bytes, true, formatted->caller);
        length = format_anyhow(formatted, again);
    }
    va_end(again);
    return length;
}

int checked_vsprintf(char *to, const char *text, va_list arguments)
{
    return format(&(struct formatted){"vsprintf()", to, SIZE_MAX, -1, SIZE_MAX, text, CALLER},
                  arguments);
}

int checked_vsprintf_chk(char *to, int flag, size_t object, const char *text, va_list arguments)
{
    return format(&(struct formatted){"vsprintf()", to, SIZE_MAX, flag, object, text, CALLER},
                  arguments);
}

int checked_vsnprintf(char *to, size_t size, const char *text, va_list arguments)
{
    return format(&(struct formatted){"vsnprintf()", to, size, -1, SIZE_MAX, text, CALLER},
                  arguments);
}

int checked_vsnprintf_chk(char *to, size_t size, int flag, size_t object, const char *text,
                          va_list arguments)
{
    return format(&(struct formatted){"vsnprintf()", to, size, flag, object, text, CALLER},
                  arguments);
}

int checked_sprintf(char *to, const char *text, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, text);
    length = format(&(struct formatted){"sprintf()", to, SIZE_MAX, -1, SIZE_MAX, text, CALLER},
                    arguments);
    va_end(arguments);
    return length;
}

int checked_sprintf_chk(char *to, int flag, size_t object, const char *text, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, text);
    length = format(&(struct formatted){"sprintf()", to, SIZE_MAX, flag, object, text, CALLER},
                    arguments);
    va_end(arguments);
    return length;
}

int checked_snprintf(char *to, size_t size, const char *text, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, text);
    length =
        format(&(struct formatted){"snprintf()", to, size, -1, SIZE_MAX, text, CALLER}, arguments);
    va_end(arguments);
    return length;
}

int checked_snprintf_chk(char *to, size_t size, int flag, size_t object, const char *text, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, text);
    length =
        format(&(struct formatted){"snprintf()", to, size, flag, object, text, CALLER}, arguments);
    va_end(arguments);
    return length;
}

/*
 * vswprintf() does not say how long a text is that does not fit. So if it does not, it is formatted
 * again, to a place with as much room as the caller promised.
 */
static size_t wide_length(size_t count, const wchar_t *text, va_list arguments)
{
    wchar_t *place = malloc(count * sizeof *place);
    int length = place == NULL ? -1 : real()->vswprintf(place, count, text, arguments);

    free(place);
    return length < 0 ? 0 : (size_t)length;
}

static void check_wide(const char *function, const void *caller, wchar_t *to, size_t count,
                       const wchar_t *text, va_list arguments)
{
    size_t room = bounds_room(to), length;
    va_list again;

    if (__builtin_expect(count <= room / sizeof *to, true))
        return;
    va_copy(again, arguments);
    length = wide_length(count, text, again);
    va_end(again);
    if ((length + 1) * sizeof *to > room)
        checked_fail(function, to, (length + 1) * sizeof *to, true, caller);
}

int checked_vswprintf(wchar_t *to, size_t count, const wchar_t *text, va_list arguments)
{
    check_wide("vswprintf()", CALLER, to, count, text, arguments);
    return real()->vswprintf(to, count, text, arguments);
}

int checked_vswprintf_chk(wchar_t *to, size_t count, int flag, size_t object, const wchar_t *text,
                          va_list arguments)
{
    check_wide("vswprintf()", CALLER, to, count, text, arguments);
    return real()->vswprintf_chk(to, count, flag, object, text, arguments);
}

int checked_swprintf(wchar_t *to, size_t count, const wchar_t *text, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, text);
    check_wide("swprintf()", CALLER, to, count, text, arguments);
    length = real()->vswprintf(to, count, text, arguments);
    va_end(arguments);
    return length;
}

int checked_swprintf_chk(wchar_t *to, size_t count, int flag, size_t object, const wchar_t *text,
                         ...)
{
    va_list arguments;
    int length;

    va_start(arguments, text);
    check_wide("swprintf()", CALLER, to, count, text, arguments);
    length = real()->vswprintf_chk(to, count, flag, object, text, arguments);
    va_end(arguments);
    return length;
}
