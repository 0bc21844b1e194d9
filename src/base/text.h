/*
 * Text without stdio: a buffer that formats what our messages need and writes it out when it is
 * full, or by text_flush(). Lives on the stack of whoever writes; allocates nothing; errors of
 * write() are ignored.
 */
#ifndef FT_BASE_TEXT_H
#define FT_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    int fd; /* -1: what does not fit is dropped */
    size_t length;
    char buffer[4096];
};

void text_flush(struct text *text);
void text_string(struct text *text, const char *string);
void text_number(struct text *text, uint64_t number);

/* 0x and capitals or small letters, without leading zeros. */
void text_hex_upper(struct text *text, uintptr_t number);
void text_hex_lower(struct text *text, uintptr_t number);

#endif
