/*
 * The failure path of REQUIRE. It builds one line in a buffer on the stack and writes it to stderr,
 * so that it also works when the allocator under test is the process's own and is broken.
 */
#include "support/require.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void require_failed(const char *file, int line, const char *condition, const char *format, ...)
{
    char text[1024];
    int length = snprintf(text, sizeof text, "%s:%d: required: %s: ", file, line, condition);
    if (length > 0 && (size_t)length < sizeof text) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
        va_end(arguments);
    }
    size_t end = 0;
    while (end < sizeof text - 1 && text[end] != '\0')
        end++;
    text[end++] = '\n';
    if (write(STDERR_FILENO, text, end) < 0)
        _exit(99);
    abort();
}
