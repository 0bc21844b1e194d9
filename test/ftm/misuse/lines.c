/*
 * Lines and texts: getline into a chunk that is smaller than it says, texts without an end that are
 * printed, and the functions of glibc 2.38 that cut a text off.
 */
#include "programs.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { SIZE = 24, MORE = 100 };

static const char *const long_line = "a line that is longer than 24 bytes\nand another one\n";

static bool getline_beyond(void)
{
    char *line = chunk_of(SIZE);
    size_t size = opaque_size(MORE);

    return getline(&line, &size, file_of(long_line)) < 0;
}

static bool getdelim_beyond(void)
{
    char *line = chunk_of(SIZE);
    size_t size = opaque_size(MORE);

    return getdelim(&line, &size, '2', file_of(long_line)) < 0;
}

/* Calls what the headers make of getline() in an optimized program. */
static bool getdelim_to_freed(void)
{
    char *line = chunk_of(SIZE);
    size_t size = SIZE;

    free(line);
    return __getdelim(&line, &size, ' ', file_of(long_line)) < 0;
}

static bool fputs_of_unterminated(void)
{
    return fputs(chunk_of(SIZE), stderr) < 0;
}

static bool fputs_unlocked_of_unterminated(void)
{
    return fputs_unlocked(chunk_of(SIZE), stderr) < 0;
}

static bool puts_of_unterminated(void)
{
    return puts(chunk_of(SIZE)) < 0;
}

static bool puts_of_freed(void)
{
    char *text = strcpy(chunk_of(SIZE), "freed");

    free(text);
    return puts(opaque(text)) < 0;
}

/* Older C libraries lack them, but libft_malloc_debug.so does not. */
static void *function(const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);

    if (found == NULL)
        exit(99);
    return found;
}

typedef size_t cut(char *to, const char *from, size_t size);
typedef size_t cut_wide(wchar_t *to, const wchar_t *from, size_t count);

static bool strlcpy_beyond(void)
{
    return ((cut *)function("strlcpy"))(chunk_of(SIZE), long_line, opaque_size(SIZE + 1)) == 0;
}

static bool strlcpy_of_unterminated(void)
{
    static char to[MORE];

    return ((cut *)function("strlcpy"))(to, chunk_of(SIZE), opaque_size(4)) == 0;
}

static bool strlcat_beyond(void)
{
    char *text = strcpy(chunk_of(SIZE), "twenty bytes long");

    return ((cut *)function("strlcat"))(text, long_line, opaque_size(MORE)) == 0;
}

static bool strlcat_to_unterminated(void)
{
    return ((cut *)function("strlcat"))(chunk_of(SIZE), "", opaque_size(MORE)) == 0;
}

static bool wcslcpy_beyond(void)
{
    wchar_t *chunk = (wchar_t *)(void *)chunk_of(SIZE);

    return ((cut_wide *)function("wcslcpy"))(chunk, L"too long", opaque_size(MORE)) == 0;
}

static bool wcslcat_beyond(void)
{
    wchar_t *chunk = wcscpy((wchar_t *)(void *)chunk_of(SIZE), L"five.");

    return ((cut_wide *)function("wcslcat"))(chunk, L"x", opaque_size(MORE)) == 0;
}

static bool wcsdup_of_unterminated(void)
{
    return wcsdup((wchar_t *)(void *)chunk_of(SIZE)) == NULL;
}

#define BEYOND(name, many) name "\\(\\): writes " many " past the end of 0x[0-9a-f]+ \\(TINY, 24"
#define UNTERMINATED(name) name "\\(\\): reads 1 byte past"

static const struct program table[] = {
    {"getline_beyond", getline_beyond, REPORTED, BEYOND("getline", "13 bytes")},
    {"getdelim_beyond", getdelim_beyond, REPORTED, BEYOND("getdelim", "5 bytes")},
    {"getdelim_to_freed", getdelim_to_freed, REPORTED, "getdelim\\(\\): writes to the freed chunk"},
    {"fputs_of_unterminated", fputs_of_unterminated, REPORTED, UNTERMINATED("fputs")},
    {"fputs_unlocked_of_unterminated", fputs_unlocked_of_unterminated, REPORTED,
     UNTERMINATED("fputs_unlocked")},
    {"puts_of_unterminated", puts_of_unterminated, REPORTED, UNTERMINATED("puts")},
    {"puts_of_freed", puts_of_freed, REPORTED, "puts\\(\\): reads from the freed chunk"},
    {"strlcpy_beyond", strlcpy_beyond, REPORTED, BEYOND("strlcpy", "1 byte")},
    {"strlcpy_of_unterminated", strlcpy_of_unterminated, REPORTED, UNTERMINATED("strlcpy")},
    {"strlcat_beyond", strlcat_beyond, REPORTED, BEYOND("strlcat", "[0-9]+ bytes")},
    {"strlcat_to_unterminated", strlcat_to_unterminated, REPORTED, UNTERMINATED("strlcat")},
    {"wcslcpy_beyond", wcslcpy_beyond, REPORTED, BEYOND("wcslcpy", "12 bytes")},
    {"wcslcat_beyond", wcslcat_beyond, REPORTED, BEYOND("wcslcat", "4 bytes")},
    {"wcsdup_of_unterminated", wcsdup_of_unterminated, REPORTED,
     "wcsdup\\(\\): reads 4 bytes past"},
};
PROGRAMS(lines, "line");
