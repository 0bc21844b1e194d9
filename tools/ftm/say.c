/*
 * What ftm says on stderr.
 */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fputs("ftm: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

void say_error(int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fputs("ftm: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, ": %s\n", strerror(error));
    va_end(arguments);
}

int wrong_usage(const char *command)
{
    (void)fprintf(stderr, "Try `ftm %s --help`.\n", command);
    return EXIT_TROUBLE;
}
