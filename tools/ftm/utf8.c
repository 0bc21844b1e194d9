/*
 * UTF-8 as RFC 3629 defines it.
 */
#include "utf8.h"

/* The smallest character that needs so many bytes; longer forms of it are not allowed. */
static const unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};

size_t utf8_character(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    unsigned character = first & (0xffU >> (length + 1));

    if (length <= 1 || first >= 0xf8)
        return first < 0x80 ? 1 : 0;
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if (character < smallest[length] || character > 0x10ffff ||
        (character >= 0xd800 && character < 0xe000))
        return 0;
    return length;
}

void utf8_clean(char *text)
{
    while (*text != '\0') {
        size_t length = utf8_character(text);

        if (length == 0) {
            *text = '?';
            length = 1;
        }
        text += length;
    }
}

void utf8_json(FILE *file, const char *text)
{
    fputc('"', file);
    while (*text != '\0') {
        size_t length = utf8_character(text);

        if (length == 0)
            fputs("\\ufffd", file);
        else if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if ((unsigned char)*text < ' ' || *text == 0x7f)
            fprintf(file, "\\u%04x", (unsigned)*text);
        else
            fwrite(text, 1, length, file);
        text += length > 0 ? length : 1;
    }
    fputc('"', file);
}
