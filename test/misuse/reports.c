/*
 * The memory file is read with pread() and never grows: each line overwrites the previous one.
 */
#include "misuse/reports.h"

#include "support/require.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINE = 400 };

static int file = -1;
static int saved = -1;
size_t reports_tried;

/* A check that fails, or the library itself, has written its reason into the file. */
static void tell_why(int number)
{
    char line[LINE];
    ssize_t got = lseek(file, 0, SEEK_SET) == 0 ? read(file, line, LINE) : 0;
    if (got > 0 && write(saved, line, (size_t)got) < 0)
        _exit(1);
    (void)signal(number, SIG_DFL);
}

void reports_open(void)
{
    file = memfd_create("stderr", MFD_CLOEXEC);
    saved = dup(STDERR_FILENO);
    REQUIRE(file >= 0 && saved >= 0 && dup2(file, STDERR_FILENO) >= 0, "cannot redirect stderr");
    (void)signal(SIGABRT, tell_why);
}

static void restore(void)
{
    REQUIRE(dup2(saved, STDERR_FILENO) >= 0, "cannot restore stderr");
}

static void read_line(char *line)
{
    ssize_t got = pread(file, line, LINE - 1, 0);
    REQUIRE(got >= 0 && lseek(file, 0, SEEK_SET) == 0 && ftruncate(file, 0) == 0,
            "cannot read back stderr");
    line[got] = '\0';
}

static void require_line(const char *expected, size_t length)
{
    char line[LINE];
    read_line(line);
    const char *end = strchr(line, '\n');
    reports_tried++;
    REQUIRE(strncmp(line, expected, length) == 0 && end != NULL && end[1] == '\0',
            "expected \"%s\", got \"%s\", after %zu others", expected, line, reports_tried - 1);
}

/* Writes behind the prefix of all lines, and keeps room for one more byte. */
static __attribute__((format(printf, 2, 0))) void compose(char *expected, const char *format,
                                                          va_list arguments)
{
    static const char name[] = "ft_malloc: ";
    memcpy(expected, name, sizeof name);
    int length = vsnprintf(expected + sizeof name - 1, LINE - sizeof name, format, arguments);
    REQUIRE(length > 0 && length < LINE - (int)sizeof name, "a line that is too long");
}

void reports_expect(const char *format, ...)
{
    char expected[LINE];
    va_list arguments;
    va_start(arguments, format);
    compose(expected, format, arguments);
    va_end(arguments);
    strcat(expected, "\n"); // NOLINT: there is room
    require_line(expected, strlen(expected));
}

void reports_expect_beginning(const char *format, ...)
{
    char expected[LINE];
    va_list arguments;
    va_start(arguments, format);
    compose(expected, format, arguments);
    va_end(arguments);
    require_line(expected, strlen(expected));
}

void reports_expect_none(void)
{
    char line[LINE];
    read_line(line);
    REQUIRE(line[0] == '\0', "reported without a reason: %s", line);
}

void reports_close(const char *what)
{
    reports_expect_none();
    restore();
    (void)signal(SIGABRT, SIG_DFL);
    printf("%s: %zu misuses tried, %zu detected\n", what, reports_tried, reports_tried);
}
