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

static bool is_one_of(char letter, const char *letters)
{
    return letter != '\0' && strchr(letters, letter) != NULL;
}

/* Returns false if nothing is known of the letter. */
static bool read_text(char letter, const char **at, bool wide, struct scan_conversion *found)
{
    if (!is_one_of(letter, "sS[cC"))
        return false;
    found->kind = is_one_of(letter, "cC") ? SCAN_UNITS : SCAN_TEXT;
    if (found->kind == SCAN_UNITS && found->width == SIZE_MAX)
        found->width = 1;
    found->size = wide || is_one_of(letter, "SC") ? sizeof(wchar_t) : 1;
    return letter != '[' || skip_set(at);
}

static size_t float_size(unsigned longer)
{
    if (longer == 0)
        return sizeof(float);
    return longer == 1 ? sizeof(double) : sizeof(long double);
}

static int read_letter(char letter, const char **at, unsigned longer, struct scan_conversion *found)
{
    if (is_one_of(letter, "dioxXupb"))
        found->size = letter == 'p' ? sizeof(void *) : found->size;
    else if (is_one_of(letter, "aefgAEFG"))
        found->size = float_size(longer);
    else if (letter == 'n')
        found->kind = SCAN_COUNT;
    else if (!read_text(letter, at, longer != 0, found))
        return -1;
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
