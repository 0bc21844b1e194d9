/*
 * Names of functions and files are bytes of any kind, but JSON and Protocol Buffers want UTF-8.
 */
#ifndef FTM_UTF8_H
#define FTM_UTF8_H

#include <stddef.h>
#include <stdio.h>

/* The length of the character at text, or 0 if it is not well-formed UTF-8. */
size_t utf8_character(const char *text);

/* Replaces each byte that is not part of a character by '?'. */
void utf8_clean(char *text);

/* Writes the text as a JSON string, with the quotes. */
void utf8_json(FILE *file, const char *text);

#endif
