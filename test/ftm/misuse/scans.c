/*
 * Input that scanf() and its relatives store in chunks that are too small for it.
 */
#include "programs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { SIZE = 8 };

/* What programs call that were compiled for C99 or later, without extensions. */
int __isoc99_sscanf(const char *text, const char *format, ...);
int __isoc99_fscanf(FILE *stream, const char *format, ...);
int __isoc99_vsscanf(const char *text, const char *format, va_list arguments);

static const char long_word[] = "a_word_of_twenty_eight_bytes and more";

static bool sscanf_word_beyond(void)
{
    return sscanf(long_word, "%s", chunk_of(SIZE)) != 1;
}

/* The width leaves no room for the zero. */
static bool sscanf_width_off_by_one(void)
{
    return sscanf(long_word, "%8s", chunk_of(SIZE)) != 1;
}

static bool sscanf_set_beyond(void)
{
    return sscanf(long_word, "%*c%[^]z]", chunk_of(SIZE)) != 1;
}

static bool sscanf_set_width_beyond(void)
{
    return sscanf(long_word, "%11[a-z_]", chunk_of(SIZE)) != 1;
}

static bool sscanf_bytes_beyond(void)
{
    return sscanf(long_word, "%9c", chunk_of(SIZE)) != 1;
}

static bool sscanf_second_word_beyond(void)
{
    char word[SIZE];
    int number;

    return sscanf("12 word_1 word_number_2", "%d %7s %s", &number, word, chunk_of(SIZE)) != 3;
}

static bool sscanf_numbered_beyond(void)
{
    int number;

    return sscanf("12 word_number_2", "%2$d %1$s", chunk_of(SIZE), &number) != 2;
}

static bool sscanf_number_beyond(void)
{
    return sscanf("12 13", "%d %ld", (int *)(void *)chunk_of(4), (long *)(void *)chunk_of(4)) != 2;
}

static bool sscanf_count_beyond(void)
{
    return sscanf("12", "%*d%n", (int *)(void *)chunk_of(2)) != 0;
}

static bool sscanf_double_beyond(void)
{
    return sscanf("1.5", "%lf", (double *)(void *)chunk_of(4)) != 1;
}

static bool sscanf_wide_word_beyond(void)
{
    return sscanf(long_word, "%ls", (wchar_t *)(void *)chunk_of(SIZE * sizeof(wchar_t))) != 1;
}

static bool sscanf_to_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    return sscanf("x", "%s", opaque(chunk)) != 1;
}

static bool sscanf_of_unterminated(void)
{
    char word[64];

    return sscanf(chunk_of(SIZE), "%63s", word) != 1;
}

static bool old_sscanf_beyond(void)
{
    return old_sscanf(long_word, "%s", chunk_of(SIZE)) != 1;
}

static bool isoc99_sscanf_beyond(void)
{
    return __isoc99_sscanf(long_word, "%s", chunk_of(SIZE)) != 1;
}

static bool isoc99_fscanf_beyond(void)
{
    return __isoc99_fscanf(file_of(long_word), "%s", chunk_of(SIZE)) != 1;
}

static bool fscanf_beyond(void)
{
    return fscanf(file_of(long_word), "%s", chunk_of(SIZE)) != 1;
}

static bool scanf_beyond(void)
{
    if (dup2(fileno(file_of(long_word)), STDIN_FILENO) != STDIN_FILENO)
        exit(99);
    return scanf("%s", chunk_of(SIZE)) != 1;
}

/* By the function that `which` says. */
static int call_by_list(int which, const char *format, ...)
{
    va_list arguments;
    int result;

    va_start(arguments, format);
    if (which == 0)
        result = vsscanf(long_word, format, arguments);
    else if (which == 1)
        result = vfscanf(file_of(long_word), format, arguments);
    else
        result = __isoc99_vsscanf(long_word, format, arguments);
    va_end(arguments);
    return result;
}

static bool vsscanf_beyond(void)
{
    return call_by_list(0, "%s", chunk_of(SIZE)) != 1;
}

static bool vfscanf_beyond(void)
{
    return call_by_list(1, "%s", chunk_of(SIZE)) != 1;
}

static bool isoc99_vsscanf_beyond(void)
{
    return call_by_list(2, "%s", chunk_of(SIZE)) != 1;
}

#define BEYOND(name, bytes) name "\\(\\): writes " bytes " past the end of 0x[0-9a-f]+ \\(TINY, "

static const struct program table[] = {
    {"sscanf_word_beyond", sscanf_word_beyond, REPORTED, BEYOND("sscanf", "21 bytes") "8 bytes"},
    {"sscanf_width_off_by_one", sscanf_width_off_by_one, REPORTED, BEYOND("sscanf", "1 byte")},
    {"sscanf_set_beyond", sscanf_set_beyond, REPORTED, BEYOND("sscanf", "29 bytes")},
    {"sscanf_set_width_beyond", sscanf_set_width_beyond, REPORTED, BEYOND("sscanf", "4 bytes")},
    {"sscanf_bytes_beyond", sscanf_bytes_beyond, REPORTED, BEYOND("sscanf", "1 byte")},
    {"sscanf_second_word_beyond", sscanf_second_word_beyond, REPORTED, BEYOND("sscanf", "6 bytes")},
    {"sscanf_numbered_beyond", sscanf_numbered_beyond, REPORTED, BEYOND("sscanf", "6 bytes")},
    {"sscanf_number_beyond", sscanf_number_beyond, REPORTED, BEYOND("sscanf", "4 bytes")},
    {"sscanf_count_beyond", sscanf_count_beyond, REPORTED, BEYOND("sscanf", "2 bytes")},
    {"sscanf_double_beyond", sscanf_double_beyond, REPORTED, BEYOND("sscanf", "4 bytes")},
    {"sscanf_wide_word_beyond", sscanf_wide_word_beyond, REPORTED,
     BEYOND("sscanf", "84 bytes") "32 bytes"},
    {"sscanf_to_freed", sscanf_to_freed, REPORTED, "sscanf\\(\\): writes to the freed chunk"},
    {"sscanf_of_unterminated", sscanf_of_unterminated, REPORTED, "sscanf\\(\\): reads 1 byte past"},
    {"old_sscanf_beyond", old_sscanf_beyond, REPORTED, BEYOND("sscanf", "21 bytes")},
    {"isoc99_sscanf_beyond", isoc99_sscanf_beyond, REPORTED, BEYOND("sscanf", "21 bytes")},
    {"isoc99_fscanf_beyond", isoc99_fscanf_beyond, REPORTED, BEYOND("fscanf", "21 bytes")},
    {"fscanf_beyond", fscanf_beyond, REPORTED, BEYOND("fscanf", "21 bytes")},
    {"scanf_beyond", scanf_beyond, REPORTED, BEYOND("scanf", "21 bytes")},
    {"vsscanf_beyond", vsscanf_beyond, REPORTED, BEYOND("vsscanf", "21 bytes")},
    {"vfscanf_beyond", vfscanf_beyond, REPORTED, BEYOND("vfscanf", "21 bytes")},
    {"isoc99_vsscanf_beyond", isoc99_vsscanf_beyond, REPORTED, BEYOND("vsscanf", "21 bytes")},
};
PROGRAMS(scans, "scan");
