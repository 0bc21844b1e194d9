/*
 * Reads the values of options. Each function reads a part of the text at *at, and sets *at behind
 * it; it returns false if there is none.
 */
#ifndef FT_BASE_OPTION_VALUES_H
#define FT_BASE_OPTION_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* Reads a decimal number without a sign, that fits in 64 bits. */
bool value_number(const char **at, uint64_t *number);

/* Reads a number of bytes, with K, M or G behind it for KiB, MiB or GiB. */
bool value_bytes(const char **at, uint64_t *number);

/* Reads one or two hexadecimal digits. */
bool value_byte(const char **at, uint64_t *number);

/* Read one character, or a word. */
bool value_character(const char **at, char expected);
bool value_word(const char **at, const char *expected);

/*
 * Returns how many letters have to be added, removed or changed to turn one text of at most
 * VALUE_DISTANCE_MAX letters into the other, without regard to capitals.
 */
enum { VALUE_DISTANCE_MAX = 40 };
unsigned value_distance(const char *one, unsigned one_length, const char *other);

/* Returns a capital letter for a small one, and any other character as it is. */
char value_capital(char letter);

#endif
