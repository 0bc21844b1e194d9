/*
 * Reads the values of options.
 */
#include "base/option_values.h"

#include <stddef.h>

static bool digit(char letter, uint64_t *value)
{
    *value = (uint64_t)letter - '0';
    return letter >= '0' && letter <= '9';
}

bool value_number(const char **at, uint64_t *number)
{
    const char *begin = *at;
    uint64_t value;

    *number = 0;
    for (; digit(**at, &value); ++*at)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, value, number))
            return false;
    return *at > begin;
}

static unsigned shift_of(char unit)
{
    switch (value_capital(unit)) {
    case 'K':
        return 10;
    case 'M':
        return 20;
    case 'G':
        return 30;
    default:
        return 0;
    }
}

bool value_bytes(const char **at, uint64_t *number)
{
    unsigned shift;

    if (!value_number(at, number))
        return false;
    shift = shift_of(**at);
    if (shift > 0)
        ++*at;
    return !__builtin_mul_overflow(*number, (uint64_t)1 << shift, number);
}

static bool hex_digit(char letter, uint64_t *value)
{
    char capital = value_capital(letter);

    if (digit(letter, value))
        return true;
    *value = (uint64_t)capital - 'A' + 10;
    return capital >= 'A' && capital <= 'F';
}

bool value_byte(const char **at, uint64_t *number)
{
    uint64_t low;

    if (!hex_digit(**at, number))
        return false;
    ++*at;
    if (hex_digit(**at, &low)) {
        *number = *number << 4 | low;
        ++*at;
    }
    return true;
}

bool value_character(const char **at, char expected)
{
    if (**at != expected)
        return false;
    ++*at;
    return true;
}

bool value_word(const char **at, const char *expected)
{
    const char *text = *at;

    while (*expected != '\0')
        if (*text++ != *expected++)
            return false;
    *at = text;
    return true;
}

char value_capital(char letter)
{
    if (letter >= 'a' && letter <= 'z')
        letter = (char)(letter - 'a' + 'A');
    return letter;
}

static unsigned least(unsigned one, unsigned other)
{
    return one < other ? one : other;
}

/* row[n] is the distance of what was read of `one` from the first n letters of `other`. */
unsigned value_distance(const char *one, unsigned one_length, const char *other)
{
    unsigned row[VALUE_DISTANCE_MAX + 1], length = 0;

    while (length < VALUE_DISTANCE_MAX && other[length] != '\0')
        length++;
    for (unsigned n = 0; n <= length; n++)
        row[n] = n;
    for (unsigned i = 0; i < one_length && i < VALUE_DISTANCE_MAX; i++) {
        unsigned diagonal = row[0]++;

        for (unsigned n = 1; n <= length; n++) {
            bool same = value_capital(one[i]) == value_capital(other[n - 1]);
            unsigned changed = diagonal + !same;

            diagonal = row[n];
            row[n] = least(changed, least(row[n], row[n - 1]) + 1);
        }
    }
    return row[length];
}
