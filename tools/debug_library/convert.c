/*
 * mbstowcs, wcstombs and their relatives. If the caller allows more than the chunk has, the text is
 * converted as far as the chunk reaches. If something would follow, the call would have overflowed
 * the chunk, and is reported.
 */
#include "checked.h"
#include "real.h"

#include <limits.h>
#include <stdlib.h>

#define CALLER __builtin_return_address(0)

CHECKED_API size_t checked_mbstowcs(wchar_t *, const char *, size_t) CHECKED_NAME(mbstowcs);
CHECKED_API size_t checked_mbsrtowcs(wchar_t *, const char **, size_t, mbstate_t *)
    CHECKED_NAME(mbsrtowcs);
CHECKED_API size_t checked_mbsnrtowcs(wchar_t *, const char **, size_t, size_t, mbstate_t *)
    CHECKED_NAME(mbsnrtowcs);
CHECKED_API size_t checked_wcstombs(char *, const wchar_t *, size_t) CHECKED_NAME(wcstombs);
CHECKED_API size_t checked_wcsrtombs(char *, const wchar_t **, size_t, mbstate_t *)
    CHECKED_NAME(wcsrtombs);
CHECKED_API size_t checked_wcsnrtombs(char *, const wchar_t **, size_t, size_t, mbstate_t *)
    CHECKED_NAME(wcsnrtombs);
CHECKED_API size_t checked_wcrtomb(char *, wchar_t, mbstate_t *) CHECKED_NAME(wcrtomb);
CHECKED_API int checked_wctomb(char *, wchar_t) CHECKED_NAME(wctomb);
CHECKED_API size_t checked_mbstowcs_chk(wchar_t *, const char *, size_t, size_t)
    CHECKED_NAME(__mbstowcs_chk);
CHECKED_API size_t checked_mbsrtowcs_chk(wchar_t *, const char **, size_t, mbstate_t *, size_t)
    CHECKED_NAME(__mbsrtowcs_chk);
CHECKED_API size_t checked_mbsnrtowcs_chk(wchar_t *, const char **, size_t, size_t, mbstate_t *,
                                          size_t) CHECKED_NAME(__mbsnrtowcs_chk);
CHECKED_API size_t checked_wcstombs_chk(char *, const wchar_t *, size_t, size_t)
    CHECKED_NAME(__wcstombs_chk);
CHECKED_API size_t checked_wcsrtombs_chk(char *, const wchar_t **, size_t, mbstate_t *, size_t)
    CHECKED_NAME(__wcsrtombs_chk);
CHECKED_API size_t checked_wcsnrtombs_chk(char *, const wchar_t **, size_t, size_t, mbstate_t *,
                                          size_t) CHECKED_NAME(__wcsnrtombs_chk);

/* What is converted; the function changes `from` and `state` as the C library's does. */
struct conversion {
    const char *function;
    size_t most; /* how much is read, in the units of what is read */
    size_t room; /* in the units of what is written, as all results are */
    size_t size; /* what the caller allows */
    mbstate_t *state;
    const void *caller;
};

static size_t widen(const struct conversion *is, wchar_t *to, const char **from)
{
    const char *start = *from, *next;
    size_t got = real()->mbsnrtowcs(to, from, is->most, is->room, is->state), left, more;
    mbstate_t then = *is->state;
    wchar_t one;

    if (got == (size_t)-1 || got < is->room || *from == NULL)
        return got;
    left = is->most - (size_t)(*from - start);
    next = *from;
    more = real()->mbsnrtowcs(&one, &next, left, 1, &then);
    if (more == 1 || next == NULL)
        checked_fail(is->function, to, (got + 1) * sizeof *to, true, is->caller);
    more = real()->mbsnrtowcs(to + got, from, left, is->size - got, is->state);
    return more == (size_t)-1 ? more : got + more;
}

/* A character may need more bytes than the chunk has left, or than the caller allows. */
static size_t narrow(const struct conversion *is, char *to, const wchar_t **from)
{
    const wchar_t *start = *from, *next;
    size_t got = real()->wcsnrtombs(to, from, is->most, is->room, is->state), left, more;
    mbstate_t then = *is->state;
    char one[MB_LEN_MAX];

    if (got == (size_t)-1 || *from == NULL)
        return got;
    left = is->most - (size_t)(*from - start);
    next = *from;
    more = real()->wcsnrtombs(one, &next, left != 0, sizeof one, &then);
    if (more != (size_t)-1) {
        more += next == NULL; /* the zero */
        if (more == 0 || got + more > is->size)
            return got;
        checked_fail(is->function, to, got + more, true, is->caller);
    }
    more = real()->wcsnrtombs(to + got, from, left, is->size - got, is->state);
    return more == (size_t)-1 ? more : got + more;
}

CHECKED_INLINE size_t mbstowcs_to(wchar_t *to, const char *from, size_t count)
{
    size_t room = wide_room(to);
    mbstate_t state = {0};

    if (__builtin_expect(count <= room, true))
        return real()->mbstowcs(to, from, count);
    return widen(&(struct conversion){"mbstowcs()", SIZE_MAX, room, count, &state, CALLER}, to,
                 &from);
}

size_t checked_mbstowcs(wchar_t *to, const char *from, size_t count)
{
    return mbstowcs_to(to, from, count);
}

size_t checked_mbstowcs_chk(wchar_t *to, const char *from, size_t count, size_t object)
{
    check_object(count, object);
    return mbstowcs_to(to, from, count);
}

/* A text without an end is read to it, so no state of the C library's own remains behind. */
CHECKED_INLINE size_t mbsrtowcs_to(wchar_t *to, const char **from, size_t count, mbstate_t *state)
{
    size_t room = wide_room(to);
    mbstate_t own = {0};

    if (__builtin_expect(count <= room, true))
        return real()->mbsrtowcs(to, from, count, state);
    if (state == NULL)
        state = &own;
    return widen(&(struct conversion){"mbsrtowcs()", SIZE_MAX, room, count, state, CALLER}, to,
                 from);
}

size_t checked_mbsrtowcs(wchar_t *to, const char **from, size_t count, mbstate_t *state)
{
    return mbsrtowcs_to(to, from, count, state);
}

size_t checked_mbsrtowcs_chk(wchar_t *to, const char **from, size_t count, mbstate_t *state,
                             size_t object)
{
    check_object(count, object);
    return mbsrtowcs_to(to, from, count, state);
}

/* Without a state the C library uses its own, which nobody else can; that is let pass. */
CHECKED_INLINE size_t mbsnrtowcs_to(wchar_t *to, const char **from, size_t bytes, size_t count,
                                    mbstate_t *state)
{
    size_t room = wide_room(to);

    if (__builtin_expect(count <= room || state == NULL, true))
        return real()->mbsnrtowcs(to, from, bytes, count, state);
    return widen(&(struct conversion){"mbsnrtowcs()", bytes, room, count, state, CALLER}, to, from);
}

size_t checked_mbsnrtowcs(wchar_t *to, const char **from, size_t bytes, size_t count,
                          mbstate_t *state)
{
    return mbsnrtowcs_to(to, from, bytes, count, state);
}

size_t checked_mbsnrtowcs_chk(wchar_t *to, const char **from, size_t bytes, size_t count,
                              mbstate_t *state, size_t object)
{
    check_object(count, object);
    return mbsnrtowcs_to(to, from, bytes, count, state);
}

CHECKED_INLINE size_t wcstombs_to(char *to, const wchar_t *from, size_t size)
{
    size_t room = bounds_room(to);
    mbstate_t state = {0};

    if (__builtin_expect(size <= room, true))
        return real()->wcstombs(to, from, size);
    return narrow(&(struct conversion){"wcstombs()", SIZE_MAX, room, size, &state, CALLER}, to,
                  &from);
}

size_t checked_wcstombs(char *to, const wchar_t *from, size_t size)
{
    return wcstombs_to(to, from, size);
}

size_t checked_wcstombs_chk(char *to, const wchar_t *from, size_t size, size_t object)
{
    check_object(size, object);
    return wcstombs_to(to, from, size);
}

CHECKED_INLINE size_t wcsrtombs_to(char *to, const wchar_t **from, size_t size, mbstate_t *state)
{
    size_t room = bounds_room(to);
    mbstate_t own = {0};

    if (__builtin_expect(size <= room, true))
        return real()->wcsrtombs(to, from, size, state);
    if (state == NULL)
        state = &own;
    return narrow(&(struct conversion){"wcsrtombs()", SIZE_MAX, room, size, state, CALLER}, to,
                  from);
}

size_t checked_wcsrtombs(char *to, const wchar_t **from, size_t size, mbstate_t *state)
{
    return wcsrtombs_to(to, from, size, state);
}

size_t checked_wcsrtombs_chk(char *to, const wchar_t **from, size_t size, mbstate_t *state,
                             size_t object)
{
    check_object(size, object);
    return wcsrtombs_to(to, from, size, state);
}

CHECKED_INLINE size_t wcsnrtombs_to(char *to, const wchar_t **from, size_t count, size_t size,
                                    mbstate_t *state)
{
    size_t room = bounds_room(to);

    if (__builtin_expect(size <= room || state == NULL, true))
        return real()->wcsnrtombs(to, from, count, size, state);
    return narrow(&(struct conversion){"wcsnrtombs()", count, room, size, state, CALLER}, to, from);
}

size_t checked_wcsnrtombs(char *to, const wchar_t **from, size_t count, size_t size,
                          mbstate_t *state)
{
    return wcsnrtombs_to(to, from, count, size, state);
}

size_t checked_wcsnrtombs_chk(char *to, const wchar_t **from, size_t count, size_t size,
                              mbstate_t *state, size_t object)
{
    check_object(size, object);
    return wcsnrtombs_to(to, from, count, size, state);
}

/* A single character. Nobody knows its bytes before it is converted. */
size_t checked_wcrtomb(char *to, wchar_t character, mbstate_t *state)
{
    char bytes[MB_LEN_MAX];
    size_t got;

    if (__builtin_expect(to == NULL || bounds_hold(to, sizeof bytes), true))
        return real()->wcrtomb(to, character, state);
    got = real()->wcrtomb(bytes, character, state);
    if (got == (size_t)-1)
        return got;
    check_write("wcrtomb()", to, got);
    (void)real()->memmove(to, bytes, got);
    return got;
}

int checked_wctomb(char *to, wchar_t character)
{
    char bytes[MB_LEN_MAX];
    int got;

    if (__builtin_expect(to == NULL || bounds_hold(to, sizeof bytes), true))
        return real()->wctomb(to, character);
    got = real()->wctomb(bytes, character);
    if (got < 0)
        return got;
    check_write("wctomb()", to, (size_t)got);
    (void)real()->memmove(to, bytes, (size_t)got);
    return got;
}
