/*
 * Text without stdio: a buffer that formats our messages, and writes them when it is full or when
 * text_flush() is called. It is a variable on the caller's stack. It allocates nothing. After an
 * error of write() it writes nothing more.
 */
#ifndef FT_BASE_TEXT_H
#define FT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    int fd;    /* if -1, text that does not fit is dropped */
    int error; /* what write() failed with, or 0 */
    size_t length;
    size_t
        kept; /* bytes at the beginning of the buffer that text_flush() neither writes nor drops */
    char buffer[4096];
};

/* Like strcmp() == 0, which would be an import. */
static inline bool text_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

void text_flush(struct text *text);
void text_string(struct text *text, const char *string);
void text_number(struct text *text, uint64_t number);

/*
 * Add a hexadecimal number with the prefix 0x, without leading zeros, in capitals or small letters.
 */
void text_hex_upper(struct text *text, uintptr_t number);
void text_hex_lower(struct text *text, uintptr_t number);

#endif
