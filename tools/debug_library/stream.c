/*
 * fread, fgets, gets, fwrite and their relatives. Input is stored in the chunk as far as
 * that reaches. If there is more, the call would have overflowed the chunk, and is reported.
 */
#include "checked.h"
#include "real.h"

#include <stdio_ext.h>

CHECKED_API size_t checked_fread(void *, size_t, size_t, FILE *) CHECKED_NAME(fread);
CHECKED_API size_t checked_fread_unlocked(void *, size_t, size_t, FILE *)
    CHECKED_NAME(fread_unlocked);
CHECKED_API size_t checked_fread_chk(void *, size_t, size_t, size_t, FILE *)
    CHECKED_NAME(__fread_chk);
CHECKED_API size_t checked_fread_unlocked_chk(void *, size_t, size_t, size_t, FILE *)
    CHECKED_NAME(__fread_unlocked_chk);
CHECKED_API size_t checked_fwrite(const void *, size_t, size_t, FILE *) CHECKED_NAME(fwrite);
CHECKED_API size_t checked_fwrite_unlocked(const void *, size_t, size_t, FILE *)
    CHECKED_NAME(fwrite_unlocked);
CHECKED_API char *checked_fgets(char *, int, FILE *) CHECKED_NAME(fgets);
CHECKED_API char *checked_fgets_unlocked(char *, int, FILE *) CHECKED_NAME(fgets_unlocked);
CHECKED_API char *checked_fgets_chk(char *, size_t, int, FILE *) CHECKED_NAME(__fgets_chk);
CHECKED_API char *checked_fgets_unlocked_chk(char *, size_t, int, FILE *)
    CHECKED_NAME(__fgets_unlocked_chk);
CHECKED_API wchar_t *checked_fgetws(wchar_t *, int, FILE *) CHECKED_NAME(fgetws);
CHECKED_API char *checked_gets(char *) CHECKED_NAME(gets);
CHECKED_API char *checked_gets_chk(char *, size_t) CHECKED_NAME(__gets_chk);

/* Returns size * count, or SIZE_MAX. */
CHECKED_INLINE size_t total_of(size_t size, size_t count)
{
    size_t total;

    return __builtin_mul_overflow(size, count, &total) ? SIZE_MAX : total;
}

/* The stream is locked. Reads `room` bytes, then looks whether there is another one. */
CHECKED_INLINE size_t read_items(const char *function, void *to, size_t size, size_t count,
                                 FILE *stream)
{
    size_t total = total_of(size, count), room = bounds_room(to), got;
    int next;

    if (total <= room)
        return real()->fread_unlocked(to, size, count, stream);
    got = room == 0 ? 0 : real()->fread_unlocked(to, 1, room, stream);
    if (got < room)
        return got / size;
    next = getc_unlocked(stream);
    if (next == EOF)
        return got / size;
    checked_fail(function, to, room + 1, true, __builtin_return_address(0));
    ((char *)to)[got++] = (char)next;
    got += real()->fread_unlocked((char *)to + got, 1, total - got, stream);
    return got / size;
}

CHECKED_INLINE size_t read_locked(void *to, size_t size, size_t count, FILE *stream)
{
    size_t got;

    if (__builtin_expect(total_of(size, count) <= bounds_room(to), true))
        return real()->fread(to, size, count, stream);
    flockfile(stream);
    got = read_items("fread()", to, size, count, stream);
    funlockfile(stream);
    return got;
}

size_t checked_fread(void *to, size_t size, size_t count, FILE *stream)
{
    return read_locked(to, size, count, stream);
}

size_t checked_fread_chk(void *to, size_t object, size_t size, size_t count, FILE *stream)
{
    check_object(total_of(size, count), object);
    return read_locked(to, size, count, stream);
}

size_t checked_fread_unlocked(void *to, size_t size, size_t count, FILE *stream)
{
    return read_items("fread_unlocked()", to, size, count, stream);
}

size_t checked_fread_unlocked_chk(void *to, size_t object, size_t size, size_t count, FILE *stream)
{
    check_object(total_of(size, count), object);
    return read_items("fread_unlocked()", to, size, count, stream);
}

size_t checked_fwrite(const void *from, size_t size, size_t count, FILE *stream)
{
    check_read("fwrite()", from, total_of(size, count));
    return real()->fwrite(from, size, count, stream);
}

size_t checked_fwrite_unlocked(const void *from, size_t size, size_t count, FILE *stream)
{
    check_read("fwrite_unlocked()", from, total_of(size, count));
    return real()->fwrite_unlocked(from, size, count, stream);
}

/*
 * The stream is locked. Reads a line byte by byte, up to `most` bytes of which `room` fit into the
 * chunk together with the zero behind them. Returns NULL if there is no byte.
 */
CHECKED_INLINE char *read_line(const char *function, char *to, size_t room, size_t most,
                               FILE *stream)
{
    size_t length = 0;
    int next = 0;

    while (length + 1 < most && next != '\n' && (next = getc_unlocked(stream)) != EOF) {
        if (length + 1 >= room && room != SIZE_MAX) {
            checked_fail(function, to, length + 2, true, __builtin_return_address(0));
            room = SIZE_MAX;
        }
        to[length++] = (char)next;
    }
    if (length == 0 || (next == EOF && ferror_unlocked(stream)))
        return NULL;
    to[length] = '\0';
    return to;
}

CHECKED_INLINE char *line_locked(const char *function, char *to, int size, FILE *stream)
{
    size_t room = bounds_room(to);
    char *line;

    if (__builtin_expect(size <= 1 || (size_t)size <= room, true))
        return real()->fgets(to, size, stream);
    flockfile(stream);
    line = read_line(function, to, room, (size_t)size, stream);
    funlockfile(stream);
    return line;
}

char *checked_fgets(char *to, int size, FILE *stream)
{
    return line_locked("fgets()", to, size, stream);
}

char *checked_fgets_chk(char *to, size_t object, int size, FILE *stream)
{
    check_object(size < 0 ? 0 : (size_t)size, object);
    return line_locked("fgets()", to, size, stream);
}

CHECKED_INLINE char *line_unlocked(char *to, int size, FILE *stream)
{
    size_t room = bounds_room(to);

    if (__builtin_expect(size <= 1 || (size_t)size <= room, true))
        return real()->fgets_unlocked(to, size, stream);
    return read_line("fgets_unlocked()", to, room, (size_t)size, stream);
}

char *checked_fgets_unlocked(char *to, int size, FILE *stream)
{
    return line_unlocked(to, size, stream);
}

char *checked_fgets_unlocked_chk(char *to, size_t object, int size, FILE *stream)
{
    check_object(size < 0 ? 0 : (size_t)size, object);
    return line_unlocked(to, size, stream);
}

/* gets() has no bound and leaves the newline out. */
CHECKED_INLINE char *any_line(char *to, size_t object)
{
    size_t room = bounds_room(to), length = 0;
    int next = EOF;

    flockfile(stdin);
    while ((next = getc_unlocked(stdin)) != EOF && next != '\n') {
        check_object(length + 2, object);
        if (length + 1 >= room && room != SIZE_MAX) {
            checked_fail("gets()", to, length + 2, true, __builtin_return_address(0));
            room = SIZE_MAX;
        }
        to[length++] = (char)next;
    }
    if (next == '\n' || length > 0)
        to[length] = '\0';
    else
        to = NULL;
    funlockfile(stdin);
    return to;
}

char *checked_gets(char *to)
{
    return any_line(to, SIZE_MAX);
}

char *checked_gets_chk(char *to, size_t object)
{
    return any_line(to, object);
}

/* Reads `count` characters at most, as the C library does, into a chunk that has room for them. */
wchar_t *checked_fgetws(wchar_t *to, int count, FILE *stream)
{
    size_t room = bounds_room(to) / sizeof *to;
    wchar_t *line = to;
    wint_t next = 0;
    size_t length = 0;

    if (__builtin_expect(count <= 1 || (size_t)count <= room, true))
        return real()->fgetws(to, count, stream);
    while (length + 1 < (size_t)count && next != L'\n' && (next = fgetwc(stream)) != WEOF) {
        if (length + 1 >= room) {
            checked_fail("fgetws()", to, (length + 2) * sizeof *to, true,
                         __builtin_return_address(0));
            room = SIZE_MAX;
        }
        line[length++] = (wchar_t)next;
    }
    if (length == 0)
        return NULL;
    line[length] = L'\0';
    return line;
}
