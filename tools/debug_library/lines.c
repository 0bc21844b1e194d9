/*
 * getline and getdelim, which may make the chunk larger, and puts and fputs, which read a text up
 * to its end.
 */
#include "checked.h"
#include "real.h"

#include <stdlib.h>

CHECKED_API ssize_t checked_getline(char **, size_t *, FILE *) CHECKED_NAME(getline);
CHECKED_API ssize_t checked_getdelim(char **, size_t *, int, FILE *) CHECKED_NAME(getdelim);
CHECKED_API ssize_t checked_getdelim_2(char **, size_t *, int, FILE *) CHECKED_NAME(__getdelim);
CHECKED_API int checked_fputs(const char *, FILE *) CHECKED_NAME(fputs);
CHECKED_API int checked_fputs_unlocked(const char *, FILE *) CHECKED_NAME(fputs_unlocked);
CHECKED_API int checked_puts(const char *) CHECKED_NAME(puts);

/*
 * If the caller says that the chunk is larger than it is, the line is read into another one. It is
 * a mistake only if the line fits into what the caller said: the C library stores no other there.
 */
CHECKED_INLINE ssize_t line_to(const char *function, char **line, size_t *size, int end,
                               FILE *stream)
{
    char *fresh = NULL;
    size_t fresh_size = 0;
    ssize_t got;

    if (line == NULL || size == NULL || *line == NULL ||
        __builtin_expect(bounds_room(*line) >= *size, true))
        return real()->getdelim(line, size, end, stream);
    got = real()->getdelim(&fresh, &fresh_size, end, stream);
    if (got >= 0 && (size_t)got >= *size) {
        free(*line);
        *line = fresh;
        *size = fresh_size;
        return got;
    }
    if (got >= 0) {
        check_write(function, *line, (size_t)got + 1);
        (void)real()->memmove(*line, fresh, (size_t)got + 1);
    }
    free(fresh);
    return got;
}

ssize_t checked_getline(char **line, size_t *size, FILE *stream)
{
    return line_to("getline()", line, size, '\n', stream);
}

ssize_t checked_getdelim(char **line, size_t *size, int end, FILE *stream)
{
    return line_to("getdelim()", line, size, end, stream);
}

/* What the headers make of getline(). */
ssize_t checked_getdelim_2(char **line, size_t *size, int end, FILE *stream)
{
    return line_to("getdelim()", line, size, end, stream);
}

int checked_fputs(const char *text, FILE *stream)
{
    (void)check_text("fputs()", text, SIZE_MAX);
    return real()->fputs(text, stream);
}

int checked_fputs_unlocked(const char *text, FILE *stream)
{
    (void)check_text("fputs_unlocked()", text, SIZE_MAX);
    return real()->fputs_unlocked(text, stream);
}

int checked_puts(const char *text)
{
    (void)check_text("puts()", text, SIZE_MAX);
    return real()->puts(text);
}
