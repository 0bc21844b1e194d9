/*
 * Texts that are too long for their chunk, or that do not end in it.
 */
#include "programs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { SIZE = 8 };

static const char eight[] = "eight ch";
static const wchar_t wide_eight[] = L"eight ch";

static bool use(const void *result)
{
    (void)opaque((void *)(size_t)result);
    return false;
}

static char *text(const char *content)
{
    return strcpy(chunk_of(SIZE), content);
}

/* The zero at the end has no room. */
static bool strcpy_off_by_one(void)
{
    return use(strcpy(chunk_of(SIZE), opaque((void *)(size_t)eight)));
}

static bool strcpy_after_strlen(void)
{
    const char *from = opaque((void *)(size_t) "a longer text");

    return use(strcpy(chunk_of(strlen(from)), from));
}

static bool strcpy_of_unterminated(void)
{
    static char to[4096];

    return use(strcpy(to, chunk_of(SIZE)));
}

static bool strcpy_to_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    return use(strcpy(opaque(chunk), "x"));
}

static bool stpcpy_beyond(void)
{
    return use(stpcpy(chunk_of(SIZE), opaque((void *)(size_t)eight)));
}

static bool strncpy_beyond(void)
{
    return use(strncpy(chunk_of(SIZE), "a", opaque_size(SIZE + 1)));
}

static bool stpncpy_beyond(void)
{
    return use(stpncpy(chunk_of(SIZE), "a", opaque_size(SIZE + 1)));
}

static bool strcat_beyond(void)
{
    return use(strcat(text("seven c"), opaque((void *)(size_t) "x")));
}

static bool strcat_to_unterminated(void)
{
    return use(strcat(chunk_of(SIZE), opaque((void *)(size_t) "x")));
}

/* Takes the third argument for the size of the destination. */
static bool strncat_with_size_of_destination(void)
{
    return use(strncat(text("five!"), eight, opaque_size(SIZE)));
}

static bool strdup_of_unterminated(void)
{
    return use(strdup(chunk_of(SIZE)));
}

static bool strdup_of_freed(void)
{
    char *chunk = text("freed");

    free(chunk);
    return use(strdup(opaque(chunk)));
}

static bool strndup_of_unterminated(void)
{
    return use(strndup(chunk_of(SIZE), opaque_size(100)));
}

static bool sprintf_beyond(void)
{
    return sprintf(chunk_of(SIZE), "%d %s", 12345, "too long") < 0;
}

static bool sprintf_off_by_one(void)
{
    return sprintf(chunk_of(SIZE), "%08u", 1u) < 0;
}

static bool sprintf_to_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    return sprintf(opaque(chunk), "x") < 0;
}

static bool snprintf_with_wrong_size(void)
{
    return snprintf(chunk_of(SIZE), opaque_size(64), "%s", "longer than eight") < 0;
}

static bool call_vsprintf(char *to, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsprintf(to, format, arguments);
    va_end(arguments);
    return length < 0;
}

static bool call_vsnprintf(char *to, size_t size, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return length < 0;
}

static bool vsprintf_beyond(void)
{
    return call_vsprintf(chunk_of(SIZE), "%s", "longer than eight");
}

static bool vsnprintf_beyond(void)
{
    return call_vsnprintf(chunk_of(SIZE), opaque_size(64), "%s", "longer than eight");
}

static wchar_t *wide_chunk(void)
{
    return (wchar_t *)(void *)chunk_of(SIZE * sizeof(wchar_t));
}

static bool wcscpy_off_by_one(void)
{
    return use(wcscpy(wide_chunk(), opaque((void *)(size_t)wide_eight)));
}

static bool wcpcpy_off_by_one(void)
{
    return use(wcpcpy(wide_chunk(), opaque((void *)(size_t)wide_eight)));
}

static bool wcsncpy_beyond(void)
{
    return use(wcsncpy(wide_chunk(), L"a", opaque_size(SIZE + 1)));
}

static bool wcscat_beyond(void)
{
    return use(wcscat(wcscpy(wide_chunk(), L"seven c"), opaque((void *)(size_t)L"x")));
}

static bool wcsncat_beyond(void)
{
    return use(wcsncat(wcscpy(wide_chunk(), L"seven c"), wide_eight, opaque_size(1)));
}

static bool swprintf_beyond(void)
{
    return swprintf(wide_chunk(), opaque_size(64), L"%ls", L"longer than eight") < 0;
}

/* A loop of the program's own, and then a function that reads as far as a zero. */
static bool unterminated_is_printed(void)
{
    return fprintf(stderr, "%s", chunk_of(SIZE)) < 0;
}

#define BEYOND(name, bytes) name "\\(\\): writes " bytes " past the end of 0x[0-9a-f]+ \\(TINY, "

static const struct program table[] = {
    {"strcpy_off_by_one", strcpy_off_by_one, REPORTED, BEYOND("strcpy", "1 byte") "8 bytes"},
    {"strcpy_after_strlen", strcpy_after_strlen, REPORTED, BEYOND("strcpy", "1 byte") "13 bytes"},
    {"strcpy_of_unterminated", strcpy_of_unterminated, REPORTED, "strcpy\\(\\): reads 1 byte past"},
    {"strcpy_to_freed", strcpy_to_freed, REPORTED, "strcpy\\(\\): writes to the freed chunk"},
    {"stpcpy_beyond", stpcpy_beyond, REPORTED, BEYOND("stpcpy", "1 byte")},
    {"strncpy_beyond", strncpy_beyond, REPORTED, BEYOND("strncpy", "1 byte")},
    {"stpncpy_beyond", stpncpy_beyond, REPORTED, BEYOND("stpncpy", "1 byte")},
    {"strcat_beyond", strcat_beyond, REPORTED, BEYOND("strcat", "1 byte")},
    {"strcat_to_unterminated", strcat_to_unterminated, REPORTED, "strcat\\(\\): reads 1 byte past"},
    {"strncat_with_size_of_destination", strncat_with_size_of_destination, REPORTED,
     BEYOND("strncat", "6 bytes")},
    {"strdup_of_unterminated", strdup_of_unterminated, REPORTED, "strdup\\(\\): reads 1 byte past"},
    {"strdup_of_freed", strdup_of_freed, REPORTED, "strdup\\(\\): reads from the freed chunk"},
    {"strndup_of_unterminated", strndup_of_unterminated, REPORTED, "strndup\\(\\): reads 1 byte"},
    {"sprintf_beyond", sprintf_beyond, REPORTED, BEYOND("sprintf", "7 bytes")},
    {"sprintf_off_by_one", sprintf_off_by_one, REPORTED, BEYOND("sprintf", "1 byte")},
    {"sprintf_to_freed", sprintf_to_freed, REPORTED, "sprintf\\(\\): writes to the freed chunk"},
    {"snprintf_with_wrong_size", snprintf_with_wrong_size, REPORTED,
     BEYOND("snprintf", "10 bytes")},
    {"vsprintf_beyond", vsprintf_beyond, REPORTED, BEYOND("vsprintf", "10 bytes")},
    {"vsnprintf_beyond", vsnprintf_beyond, REPORTED, BEYOND("vsnprintf", "10 bytes")},
    {"wcscpy_off_by_one", wcscpy_off_by_one, REPORTED, BEYOND("wcscpy", "4 bytes") "32 bytes"},
    {"wcpcpy_off_by_one", wcpcpy_off_by_one, REPORTED, BEYOND("wcpcpy", "4 bytes")},
    {"wcsncpy_beyond", wcsncpy_beyond, REPORTED, BEYOND("wcsncpy", "4 bytes")},
    {"wcscat_beyond", wcscat_beyond, REPORTED, BEYOND("wcscat", "4 bytes")},
    {"wcsncat_beyond", wcsncat_beyond, REPORTED, BEYOND("wcsncat", "4 bytes")},
    {"swprintf_beyond", swprintf_beyond, REPORTED, BEYOND("swprintf", "40 bytes")},
    {"unterminated_is_printed", unterminated_is_printed, UNSEEN, NULL},
};
PROGRAMS(texts, "text");
