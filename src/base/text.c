/*
 * Formats every message of the library.
 */
#include "base/text.h"

#include "os/os.h"

void text_flush(struct text *text)
{
    if (text->fd >= 0 && text->error == 0)
        text->error = os_write(text->fd, text->buffer + text->kept, text->length - text->kept);
    text->length = text->kept;
}

static void put_character(struct text *text, char character)
{
    if (text->length == sizeof text->buffer) {
        if (text->fd < 0)
            return;
        text_flush(text);
    }
    text->buffer[text->length++] = character;
}

void text_string(struct text *text, const char *string)
{
    for (; *string != '\0'; string++)
        put_character(text, *string);
}

static void put_digits(struct text *text, uint64_t number, unsigned base, const char *digits)
{
    char reversed[20];
    unsigned count = 0;

    do {
        reversed[count++] = digits[number % base];
        number /= base;
    } while (number > 0);
    while (count > 0)
        put_character(text, reversed[--count]);
}

void text_number(struct text *text, uint64_t number)
{
    put_digits(text, number, 10, "0123456789");
}

void text_hex_upper(struct text *text, uintptr_t number)
{
    text_string(text, "0x");
    put_digits(text, number, 16, "0123456789ABCDEF");
}

void text_hex_lower(struct text *text, uintptr_t number)
{
    text_string(text, "0x");
    put_digits(text, number, 16, "0123456789abcdef");
}
