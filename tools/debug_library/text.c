/*
 * strcpy, strcat and their relatives.
 */
#include "checked.h"
#include "real.h"

CHECKED_API char *checked_strcpy(char *, const char *) CHECKED_NAME(strcpy);
CHECKED_API char *checked_stpcpy(char *, const char *) CHECKED_NAME(stpcpy);
CHECKED_API char *checked_stpcpy_2(char *, const char *) CHECKED_NAME(__stpcpy);
CHECKED_API char *checked_strncpy(char *, const char *, size_t) CHECKED_NAME(strncpy);
CHECKED_API char *checked_stpncpy(char *, const char *, size_t) CHECKED_NAME(stpncpy);
CHECKED_API char *checked_strcat(char *, const char *) CHECKED_NAME(strcat);
CHECKED_API char *checked_strncat(char *, const char *, size_t) CHECKED_NAME(strncat);
CHECKED_API size_t checked_strlcpy(char *, const char *, size_t) CHECKED_NAME(strlcpy);
CHECKED_API size_t checked_strlcat(char *, const char *, size_t) CHECKED_NAME(strlcat);
CHECKED_API char *checked_strdup(const char *) CHECKED_NAME(strdup);
CHECKED_API char *checked_strdup_2(const char *) CHECKED_NAME(__strdup);
CHECKED_API char *checked_strndup(const char *, size_t) CHECKED_NAME(strndup);
CHECKED_API char *checked_strndup_2(const char *, size_t) CHECKED_NAME(__strndup);
CHECKED_API char *checked_strcpy_chk(char *, const char *, size_t) CHECKED_NAME(__strcpy_chk);
CHECKED_API char *checked_stpcpy_chk(char *, const char *, size_t) CHECKED_NAME(__stpcpy_chk);
CHECKED_API char *checked_strncpy_chk(char *, const char *, size_t, size_t)
    CHECKED_NAME(__strncpy_chk);
CHECKED_API char *checked_stpncpy_chk(char *, const char *, size_t, size_t)
    CHECKED_NAME(__stpncpy_chk);
CHECKED_API char *checked_strcat_chk(char *, const char *, size_t) CHECKED_NAME(__strcat_chk);
CHECKED_API size_t checked_strlcpy_chk(char *, const char *, size_t, size_t)
    CHECKED_NAME(__strlcpy_chk);
CHECKED_API size_t checked_strlcat_chk(char *, const char *, size_t, size_t)
    CHECKED_NAME(__strlcat_chk);
CHECKED_API char *checked_strncat_chk(char *, const char *, size_t, size_t)
    CHECKED_NAME(__strncat_chk);

/* Copies `size` bytes and a zero behind them, and returns the place of the zero. */
CHECKED_INLINE char *put(const char *function, char *to, const char *from, size_t size)
{
    check_write(function, to, size + 1);
    (void)real()->memmove(to, from, size);
    to[size] = '\0';
    return to + size;
}

CHECKED_INLINE char *copy(const char *function, char *to, const char *from, size_t object)
{
    size_t size = check_text(function, from, SIZE_MAX);

    check_object(size + 1, object);
    return put(function, to, from, size);
}

char *checked_strcpy(char *to, const char *from)
{
    (void)copy("strcpy()", to, from, SIZE_MAX);
    return to;
}

char *checked_strcpy_chk(char *to, const char *from, size_t object)
{
    (void)copy("strcpy()", to, from, object);
    return to;
}

char *checked_stpcpy(char *to, const char *from)
{
    return copy("stpcpy()", to, from, SIZE_MAX);
}

char *checked_stpcpy_2(char *to, const char *from)
{
    return copy("stpcpy()", to, from, SIZE_MAX);
}

char *checked_stpcpy_chk(char *to, const char *from, size_t object)
{
    return copy("stpcpy()", to, from, object);
}

/* These write all `size` bytes, and read up to a zero. */
CHECKED_INLINE void check_padded(const char *function, char *to, const char *from, size_t size)
{
    check_write(function, to, size);
    if (__builtin_expect(bounds_room(from) < size, false))
        (void)check_text(function, from, size);
}

char *checked_strncpy(char *to, const char *from, size_t size)
{
    check_padded("strncpy()", to, from, size);
    return real()->strncpy(to, from, size);
}

char *checked_strncpy_chk(char *to, const char *from, size_t size, size_t object)
{
    check_object(size, object);
    check_padded("strncpy()", to, from, size);
    return real()->strncpy(to, from, size);
}

char *checked_stpncpy(char *to, const char *from, size_t size)
{
    check_padded("stpncpy()", to, from, size);
    return real()->stpncpy(to, from, size);
}

char *checked_stpncpy_chk(char *to, const char *from, size_t size, size_t object)
{
    check_object(size, object);
    check_padded("stpncpy()", to, from, size);
    return real()->stpncpy(to, from, size);
}

CHECKED_INLINE char *append(const char *function, char *to, const char *from, size_t most,
                            size_t object)
{
    size_t before = check_text(function, to, SIZE_MAX), size = check_text(function, from, most);

    check_object(before + size + 1, object);
    (void)put(function, to + before, from, size);
    return to;
}

char *checked_strcat(char *to, const char *from)
{
    return append("strcat()", to, from, SIZE_MAX, SIZE_MAX);
}

char *checked_strcat_chk(char *to, const char *from, size_t object)
{
    return append("strcat()", to, from, SIZE_MAX, object);
}

char *checked_strncat(char *to, const char *from, size_t most)
{
    return append("strncat()", to, from, most, SIZE_MAX);
}

char *checked_strncat_chk(char *to, const char *from, size_t most, size_t object)
{
    return append("strncat()", to, from, most, object);
}

/*
 * strlcpy() and strlcat() are in glibc 2.38 and in libbsd. They count the whole text, but write no
 * more than `size` bytes. All of it is done here, because other C libraries lack them.
 */
CHECKED_INLINE size_t put_some(const char *function, char *to, const char *from, size_t size)
{
    size_t whole = check_text(function, from, SIZE_MAX);

    if (size != 0)
        (void)put(function, to, from, whole < size ? whole : size - 1);
    return whole;
}

CHECKED_INLINE size_t append_some(const char *function, char *to, const char *from, size_t size)
{
    size_t before = check_text(function, to, size);

    return before + put_some(function, to + before, from, size - before);
}

size_t checked_strlcpy(char *to, const char *from, size_t size)
{
    return put_some("strlcpy()", to, from, size);
}

size_t checked_strlcpy_chk(char *to, const char *from, size_t size, size_t object)
{
    check_object(size, object);
    return put_some("strlcpy()", to, from, size);
}

size_t checked_strlcat(char *to, const char *from, size_t size)
{
    return append_some("strlcat()", to, from, size);
}

size_t checked_strlcat_chk(char *to, const char *from, size_t size, size_t object)
{
    check_object(size, object);
    return append_some("strlcat()", to, from, size);
}

char *checked_strdup(const char *text)
{
    (void)check_text("strdup()", text, SIZE_MAX);
    return real()->strdup(text);
}

char *checked_strdup_2(const char *text)
{
    (void)check_text("strdup()", text, SIZE_MAX);
    return real()->strdup(text);
}

char *checked_strndup(const char *text, size_t most)
{
    (void)check_text("strndup()", text, most);
    return real()->strndup(text, most);
}

char *checked_strndup_2(const char *text, size_t most)
{
    (void)check_text("strndup()", text, most);
    return real()->strndup(text, most);
}
