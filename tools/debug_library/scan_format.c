/*
 * A conversion is %, the number of its argument, flags, the width, the length of the value, and a
 * letter. Whatever is unknown ends the search: its arguments would be unknown, too.
 */
#include "scan_format.h"

#include <stdint.h>
#include <string.h>
#include <wchar.h>

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Returns SIZE_MAX if there are no digits, only zeros, or too many. */
static size_t number(const char **at)
{
    const char *from = *at;
    size_t value = 0;

    for (; is_digit(**at); (*at)++)
        value = value * 10 + (size_t)(**at - '0');
    return value == 0 || *at - from > 9 ? SIZE_MAX : value;
}

/* %2$*'I20 */
static void read_front(const char **at, struct scan_conversion *found)
{
    const char *from = *at;
    size_t first = number(at);

    if (first != SIZE_MAX && **at == '$') {
        found->position = (unsigned)first;
        (*at)++;
    } else {
        *at = from;
    }
    for (; **at == '*' || **at == '\'' || **at == 'I'; (*at)++)
        found->suppressed |= **at == '*';
    found->width = number(at);
    found->modifier = *at;
}

/* Returns the size of an integer, and sets *longer to the number of letters l, L, q, j, z and t. */
static size_t read_length(const char **at, unsigned *longer)
{
    size_t size = sizeof(int);

    *longer = 0;
    for (; **at != '\0' && strchr("hlLqjzt", **at) != NULL; (*at)++) {
        if (**at == 'h')
            size = size == sizeof(int) ? sizeof(short) : sizeof(char);
        else
            size = sizeof(long);
        *longer += **at != 'h';
        /* %Lf is a long double, as %llf would be. */
        *longer += **at == 'L';
    }
    return size;
}

/* Moves behind the ] of %[...]. One in front, or behind the ^, belongs to the set. */
static bool skip_set(const char **at)
{
    *at += **at == '^';
    *at += **at == ']';
    while (**at != '\0' && **at != ']')
        (*at)++;
    return *(*at)++ == ']';
}

static int read_letter(char letter, const char **at, unsigned longer, struct scan_conversion *found)
{
    if (letter != '\0' && strchr("dioxXupb", letter) != NULL) {
        found->size = letter == 'p' ? sizeof(void *) : found->size;
    } else if (letter != '\0' && strchr("aefgAEFG", letter) != NULL) {
        found->size = longer == 0   ? sizeof(float)
                      : longer == 1 ? sizeof(double)
                                    : sizeof(long double);
    } else if (letter == 'n') {
        found->kind = SCAN_COUNT;
    } else {
        bool wide = longer != 0 || letter == 'S' || letter == 'C';

        if (letter != 's' && letter != 'S' && letter != '[' && letter != 'c' && letter != 'C')
            return -1;
        found->kind = letter == 'c' || letter == 'C' ? SCAN_UNITS : SCAN_TEXT;
        if (found->kind == SCAN_UNITS && found->width == SIZE_MAX)
            found->width = 1;
        found->size = wide ? sizeof(wchar_t) : 1;
        if (letter == '[' && !skip_set(at))
            return -1;
    }
    return 1;
}

/* `at` is behind the %. */
static int read_conversion(const char **at, bool old, struct scan_conversion *found)
{
    bool allocated;
    unsigned longer;
    int known;

    *found = (struct scan_conversion){.kind = SCAN_VALUE};
    read_front(at, found);
    allocated =
        **at == 'm' || (old && **at == 'a' && (*at)[1] != '\0' && strchr("sS[", (*at)[1]) != NULL);
    *at += allocated;
    found->size = read_length(at, &longer);
    if (**at == '\0')
        return -1;
    (*at)++;
    known = read_letter((*at)[-1], at, longer, found);
    if (allocated) {
        found->kind = SCAN_VALUE;
        found->size = sizeof(void *);
    }
    return known;
}

int scan_next(const char **format, bool old, struct scan_conversion *found)
{
    const char *at = *format;
    int known = 0;

    while (known == 0 && (at = strchr(at, '%')) != NULL) {
        at++;
        if (*at == '%')
            at++;
        else
            known = read_conversion(&at, old, found);
    }
    *format = at == NULL ? *format + strlen(*format) : at;
    return known;
}
