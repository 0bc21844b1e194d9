/*
 * What copy.c and text.c do, for wide characters.
 */
#include "checked.h"
#include "real.h"

#include <wchar.h>

enum { WIDE = sizeof(wchar_t) };

CHECKED_API wchar_t *checked_wmemcpy(wchar_t *, const wchar_t *, size_t) CHECKED_NAME(wmemcpy);
CHECKED_API wchar_t *checked_wmemmove(wchar_t *, const wchar_t *, size_t) CHECKED_NAME(wmemmove);
CHECKED_API wchar_t *checked_wmempcpy(wchar_t *, const wchar_t *, size_t) CHECKED_NAME(wmempcpy);
CHECKED_API wchar_t *checked_wmemset(wchar_t *, wchar_t, size_t) CHECKED_NAME(wmemset);
CHECKED_API wchar_t *checked_wcscpy(wchar_t *, const wchar_t *) CHECKED_NAME(wcscpy);
CHECKED_API wchar_t *checked_wcpcpy(wchar_t *, const wchar_t *) CHECKED_NAME(wcpcpy);
CHECKED_API wchar_t *checked_wcsncpy(wchar_t *, const wchar_t *, size_t) CHECKED_NAME(wcsncpy);
CHECKED_API wchar_t *checked_wcpncpy(wchar_t *, const wchar_t *, size_t) CHECKED_NAME(wcpncpy);
CHECKED_API wchar_t *checked_wcscat(wchar_t *, const wchar_t *) CHECKED_NAME(wcscat);
CHECKED_API wchar_t *checked_wcsncat(wchar_t *, const wchar_t *, size_t) CHECKED_NAME(wcsncat);
CHECKED_API wchar_t *checked_wcsdup(const wchar_t *) CHECKED_NAME(wcsdup);
CHECKED_API size_t checked_wcslcpy(wchar_t *, const wchar_t *, size_t) CHECKED_NAME(wcslcpy);
CHECKED_API size_t checked_wcslcat(wchar_t *, const wchar_t *, size_t) CHECKED_NAME(wcslcat);
CHECKED_API size_t checked_wcslcpy_chk(wchar_t *, const wchar_t *, size_t, size_t)
    CHECKED_NAME(__wcslcpy_chk);
CHECKED_API size_t checked_wcslcat_chk(wchar_t *, const wchar_t *, size_t, size_t)
    CHECKED_NAME(__wcslcat_chk);
CHECKED_API wchar_t *checked_wmemcpy_chk(wchar_t *, const wchar_t *, size_t, size_t)
    CHECKED_NAME(__wmemcpy_chk);
CHECKED_API wchar_t *checked_wmemmove_chk(wchar_t *, const wchar_t *, size_t, size_t)
    CHECKED_NAME(__wmemmove_chk);
CHECKED_API wchar_t *checked_wmempcpy_chk(wchar_t *, const wchar_t *, size_t, size_t)
    CHECKED_NAME(__wmempcpy_chk);
CHECKED_API wchar_t *checked_wmemset_chk(wchar_t *, wchar_t, size_t, size_t)
    CHECKED_NAME(__wmemset_chk);
CHECKED_API wchar_t *checked_wcscpy_chk(wchar_t *, const wchar_t *, size_t)
    CHECKED_NAME(__wcscpy_chk);
CHECKED_API wchar_t *checked_wcpcpy_chk(wchar_t *, const wchar_t *, size_t)
    CHECKED_NAME(__wcpcpy_chk);
CHECKED_API wchar_t *checked_wcsncpy_chk(wchar_t *, const wchar_t *, size_t, size_t)
    CHECKED_NAME(__wcsncpy_chk);
CHECKED_API wchar_t *checked_wcpncpy_chk(wchar_t *, const wchar_t *, size_t, size_t)
    CHECKED_NAME(__wcpncpy_chk);
CHECKED_API wchar_t *checked_wcscat_chk(wchar_t *, const wchar_t *, size_t)
    CHECKED_NAME(__wcscat_chk);
CHECKED_API wchar_t *checked_wcsncat_chk(wchar_t *, const wchar_t *, size_t, size_t)
    CHECKED_NAME(__wcsncat_chk);

/* More characters than there is address space stay so when they are counted in bytes. */
CHECKED_INLINE size_t bytes_of(size_t count)
{
    return count > SIZE_MAX / WIDE ? SIZE_MAX : count * WIDE;
}

CHECKED_INLINE wchar_t *copy(const char *function, wchar_t *to, const wchar_t *from, size_t count)
{
    check_write(function, to, bytes_of(count));
    check_read(function, from, bytes_of(count));
    return real()->memmove(to, from, count * WIDE);
}

wchar_t *checked_wmemcpy(wchar_t *to, const wchar_t *from, size_t count)
{
    return copy("wmemcpy()", to, from, count);
}

wchar_t *checked_wmemcpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t object)
{
    check_object(count, object);
    return copy("wmemcpy()", to, from, count);
}

wchar_t *checked_wmemmove(wchar_t *to, const wchar_t *from, size_t count)
{
    return copy("wmemmove()", to, from, count);
}

wchar_t *checked_wmemmove_chk(wchar_t *to, const wchar_t *from, size_t count, size_t object)
{
    check_object(count, object);
    return copy("wmemmove()", to, from, count);
}

wchar_t *checked_wmempcpy(wchar_t *to, const wchar_t *from, size_t count)
{
    return copy("wmempcpy()", to, from, count) + count;
}

wchar_t *checked_wmempcpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t object)
{
    check_object(count, object);
    return copy("wmempcpy()", to, from, count) + count;
}

wchar_t *checked_wmemset(wchar_t *to, wchar_t character, size_t count)
{
    check_write("wmemset()", to, bytes_of(count));
    return real()->wmemset(to, character, count);
}

wchar_t *checked_wmemset_chk(wchar_t *to, wchar_t character, size_t count, size_t object)
{
    check_object(count, object);
    check_write("wmemset()", to, bytes_of(count));
    return real()->wmemset(to, character, count);
}

/* Returns the length of a text of at most `most` characters; one without an end is reported. */
CHECKED_INLINE size_t length(const char *function, const wchar_t *text, size_t most)
{
    size_t bytes = bounds_room(text), room = bytes == SIZE_MAX ? SIZE_MAX : bytes / WIDE;
    size_t bound = room < most ? room : most;
    size_t found = bound == SIZE_MAX ? wcslen(text) : wcsnlen(text, bound);

    if (__builtin_expect(found == room && room < most, false)) {
        checked_fail(function, text, (room + 1) * WIDE, false, __builtin_return_address(0));
        found = wcsnlen(text, most);
    }
    return found;
}

CHECKED_INLINE wchar_t *put(const char *function, wchar_t *to, const wchar_t *from, size_t count)
{
    check_write(function, to, bytes_of(count + 1));
    (void)real()->memmove(to, from, count * WIDE);
    to[count] = L'\0';
    return to + count;
}

CHECKED_INLINE wchar_t *copy_text(const char *function, wchar_t *to, const wchar_t *from,
                                  size_t object)
{
    size_t count = length(function, from, SIZE_MAX);

    check_object(count + 1, object);
    return put(function, to, from, count);
}

wchar_t *checked_wcscpy(wchar_t *to, const wchar_t *from)
{
    (void)copy_text("wcscpy()", to, from, SIZE_MAX);
    return to;
}

wchar_t *checked_wcscpy_chk(wchar_t *to, const wchar_t *from, size_t object)
{
    (void)copy_text("wcscpy()", to, from, object);
    return to;
}

wchar_t *checked_wcpcpy(wchar_t *to, const wchar_t *from)
{
    return copy_text("wcpcpy()", to, from, SIZE_MAX);
}

wchar_t *checked_wcpcpy_chk(wchar_t *to, const wchar_t *from, size_t object)
{
    return copy_text("wcpcpy()", to, from, object);
}

CHECKED_INLINE void check_padded(const char *function, wchar_t *to, const wchar_t *from,
                                 size_t count)
{
    check_write(function, to, bytes_of(count));
    (void)length(function, from, count);
}

wchar_t *checked_wcsncpy(wchar_t *to, const wchar_t *from, size_t count)
{
    check_padded("wcsncpy()", to, from, count);
    return real()->wcsncpy(to, from, count);
}

wchar_t *checked_wcsncpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t object)
{
    check_object(count, object);
    check_padded("wcsncpy()", to, from, count);
    return real()->wcsncpy(to, from, count);
}

wchar_t *checked_wcpncpy(wchar_t *to, const wchar_t *from, size_t count)
{
    check_padded("wcpncpy()", to, from, count);
    return real()->wcpncpy(to, from, count);
}

wchar_t *checked_wcpncpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t object)
{
    check_object(count, object);
    check_padded("wcpncpy()", to, from, count);
    return real()->wcpncpy(to, from, count);
}

CHECKED_INLINE wchar_t *append(const char *function, wchar_t *to, const wchar_t *from, size_t most,
                               size_t object)
{
    size_t before = length(function, to, SIZE_MAX), count = length(function, from, most);

    check_object(before + count + 1, object);
    (void)put(function, to + before, from, count);
    return to;
}

wchar_t *checked_wcscat(wchar_t *to, const wchar_t *from)
{
    return append("wcscat()", to, from, SIZE_MAX, SIZE_MAX);
}

wchar_t *checked_wcscat_chk(wchar_t *to, const wchar_t *from, size_t object)
{
    return append("wcscat()", to, from, SIZE_MAX, object);
}

wchar_t *checked_wcsncat(wchar_t *to, const wchar_t *from, size_t most)
{
    return append("wcsncat()", to, from, most, SIZE_MAX);
}

wchar_t *checked_wcsncat_chk(wchar_t *to, const wchar_t *from, size_t most, size_t object)
{
    return append("wcsncat()", to, from, most, object);
}

/* See strlcpy() in text.c. */
CHECKED_INLINE size_t put_some(const char *function, wchar_t *to, const wchar_t *from, size_t count)
{
    size_t whole = length(function, from, SIZE_MAX);

    if (count != 0)
        (void)put(function, to, from, whole < count ? whole : count - 1);
    return whole;
}

CHECKED_INLINE size_t append_some(const char *function, wchar_t *to, const wchar_t *from,
                                  size_t count)
{
    size_t before = length(function, to, count);

    return before + put_some(function, to + before, from, count - before);
}

size_t checked_wcslcpy(wchar_t *to, const wchar_t *from, size_t count)
{
    return put_some("wcslcpy()", to, from, count);
}

size_t checked_wcslcpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t object)
{
    check_object(count, object);
    return put_some("wcslcpy()", to, from, count);
}

size_t checked_wcslcat(wchar_t *to, const wchar_t *from, size_t count)
{
    return append_some("wcslcat()", to, from, count);
}

size_t checked_wcslcat_chk(wchar_t *to, const wchar_t *from, size_t count, size_t object)
{
    check_object(count, object);
    return append_some("wcslcat()", to, from, count);
}

wchar_t *checked_wcsdup(const wchar_t *text)
{
    (void)length("wcsdup()", text, SIZE_MAX);
    return real()->wcsdup(text);
}
