/*
 * Buffered output.
 */
#include "out.h"

#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct out *out_begin(void)
{
    static struct out standard;

    standard.fd = STDOUT_FILENO;
    return &standard;
}

void out_flush(struct out *out)
{
    size_t done = 0;

    while (done < out->length && out->error == 0) {
        ssize_t wrote = write(out->fd, out->buffer + done, out->length - done);

        if (wrote >= 0)
            done += (size_t)wrote;
        else if (errno != EINTR)
            out->error = errno;
    }
    out->length = 0;
}

bool out_end(struct out *out)
{
    out_flush(out);
    /* Whoever closed the pipe has seen enough. */
    if (out->error != 0 && out->error != EPIPE)
        say_error(out->error, "cannot write to standard output");
    return out->error == 0;
}

void out_bytes(struct out *out, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t room = sizeof out->buffer - out->length;
        size_t part = length < room ? length : room;

        memcpy(out->buffer + out->length, bytes, part);
        out->length += part;
        bytes += part;
        length -= part;
        if (out->length == sizeof out->buffer)
            out_flush(out);
    }
}

void out_text(struct out *out, const char *text)
{
    out_bytes(out, text, strlen(text));
}

void out_format(struct out *out, const char *format, ...)
{
    char line[512], *text = line;
    va_list arguments, again;
    int length;

    va_start(arguments, format);
    va_copy(again, arguments);
    length = vsnprintf(line, sizeof line, format, arguments);
    if (length >= (int)sizeof line) {
        text = malloc((size_t)length + 1);
        if (text == NULL)
            out->error = ENOMEM;
        else
            (void)vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    va_end(arguments);
    if (text != NULL && length > 0)
        out_bytes(out, text, (size_t)length);
    if (text != line)
        free(text);
}

static void put_digits(struct out *out, uint64_t number, unsigned base)
{
    char digits[20];
    size_t first = sizeof digits;

    do {
        digits[--first] = "0123456789ABCDEF"[number % base];
        number /= base;
    } while (number > 0);
    out_bytes(out, digits + first, sizeof digits - first);
}

void out_number(struct out *out, uint64_t number)
{
    put_digits(out, number, 10);
}

void out_hex(struct out *out, uint64_t number)
{
    out_bytes(out, "0x", 2);
    put_digits(out, number, 16);
}

void out_name(struct out *out, const char *name)
{
    for (; *name != '\0'; name++)
        out_bytes(out, (unsigned char)*name < ' ' || *name == 0x7f ? "?" : name, 1);
}

const char *size_text(uint64_t bytes, char buffer[SIZE_TEXT])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double size = (double)bytes / 1024;
    unsigned unit = 0;

    if (bytes < 1024) {
        (void)snprintf(buffer, SIZE_TEXT, "%u B", (unsigned)bytes);
        return buffer;
    }
    while (size >= 1023.5 && unit + 1 < sizeof units / sizeof units[0]) {
        size /= 1024;
        unit++;
    }
    (void)snprintf(buffer, SIZE_TEXT, size < 99.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
    return buffer;
}
