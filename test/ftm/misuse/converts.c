/*
 * Conversions between bytes and wide characters whose result does not fit into its chunk.
 */
#include "programs.h"

#include <locale.h>
#include <stdlib.h>
#include <wchar.h>

enum { SIZE = 8, MORE = 100 };

static const char *const text = "nine char";
static const wchar_t *const wide_text = L"nine char";
static mbstate_t state;

static wchar_t *wide_chunk(void)
{
    return (wchar_t *)(void *)chunk_of(SIZE * sizeof(wchar_t));
}

static bool mbstowcs_beyond(void)
{
    return mbstowcs(wide_chunk(), text, opaque_size(MORE)) == 0;
}

/* The zero at the end has no room. */
static bool mbstowcs_off_by_one(void)
{
    return mbstowcs(wide_chunk(), text + 1, opaque_size(SIZE + 1)) == 0;
}

static bool mbstowcs_to_freed(void)
{
    wchar_t *chunk = wide_chunk();

    free(chunk);
    return mbstowcs(opaque(chunk), text, 2) == 0;
}

static bool mbsrtowcs_beyond(void)
{
    const char *from = text;

    return mbsrtowcs(wide_chunk(), &from, opaque_size(MORE), NULL) == 0;
}

static bool mbsnrtowcs_beyond(void)
{
    const char *from = text;

    return mbsnrtowcs(wide_chunk(), &from, opaque_size(9), opaque_size(MORE), &state) == 0;
}

static bool wcstombs_beyond(void)
{
    return wcstombs(chunk_of(SIZE), wide_text, opaque_size(MORE)) == 0;
}

static bool wcstombs_off_by_one(void)
{
    return wcstombs(chunk_of(SIZE), wide_text + 1, opaque_size(SIZE + 1)) == 0;
}

/* One character of three bytes, of which two would fit. */
static bool wcstombs_beyond_within_a_character(void)
{
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        exit(99);
    return wcstombs(chunk_of(SIZE), L"\u20ac\u20ac\u20ac", opaque_size(MORE)) == 0;
}

static bool wcsrtombs_beyond(void)
{
    const wchar_t *from = wide_text;

    return wcsrtombs(chunk_of(SIZE), &from, opaque_size(MORE), NULL) == 0;
}

static bool wcsnrtombs_beyond(void)
{
    const wchar_t *from = wide_text;

    return wcsnrtombs(chunk_of(SIZE), &from, opaque_size(9), opaque_size(MORE), &state) == 0;
}

static bool wcrtomb_beyond(void)
{
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        exit(99);
    return wcrtomb(chunk_of(2), L'\u20ac', &state) == 0;
}

static bool wctomb_beyond(void)
{
    return wctomb(chunk_of(SIZE) + SIZE, L'a') == 0;
}

/* What programs with _FORTIFY_SOURCE call; the compiler did not know the size of the chunk. */
size_t __mbstowcs_chk(wchar_t *to, const char *from, size_t count, size_t object);
size_t __wcstombs_chk(char *to, const wchar_t *from, size_t size, size_t object);

static bool mbstowcs_chk_beyond(void)
{
    return __mbstowcs_chk(wide_chunk(), text, opaque_size(MORE), (size_t)-1) == 0;
}

static bool wcstombs_chk_beyond(void)
{
    return __wcstombs_chk(chunk_of(SIZE), wide_text, opaque_size(MORE), (size_t)-1) == 0;
}

#define BEYOND(name, bytes) name "\\(\\): writes " bytes " past the end of 0x[0-9a-f]+ \\(TINY, "
#define WIDE(name) BEYOND(name, "4 bytes") "32 bytes"
#define NARROW(name) BEYOND(name, "1 byte") "8 bytes"

static const struct program table[] = {
    {"mbstowcs_beyond", mbstowcs_beyond, REPORTED, WIDE("mbstowcs")},
    {"mbstowcs_off_by_one", mbstowcs_off_by_one, REPORTED, WIDE("mbstowcs")},
    {"mbstowcs_to_freed", mbstowcs_to_freed, REPORTED, "mbstowcs\\(\\): writes to the freed chunk"},
    {"mbstowcs_chk_beyond", mbstowcs_chk_beyond, REPORTED, WIDE("mbstowcs")},
    {"mbsrtowcs_beyond", mbsrtowcs_beyond, REPORTED, WIDE("mbsrtowcs")},
    {"mbsnrtowcs_beyond", mbsnrtowcs_beyond, REPORTED, WIDE("mbsnrtowcs")},
    {"wcstombs_beyond", wcstombs_beyond, REPORTED, NARROW("wcstombs")},
    {"wcstombs_off_by_one", wcstombs_off_by_one, REPORTED, NARROW("wcstombs")},
    {"wcstombs_beyond_within_a_character", wcstombs_beyond_within_a_character, REPORTED,
     NARROW("wcstombs")},
    {"wcstombs_chk_beyond", wcstombs_chk_beyond, REPORTED, NARROW("wcstombs")},
    {"wcsrtombs_beyond", wcsrtombs_beyond, REPORTED, NARROW("wcsrtombs")},
    {"wcsnrtombs_beyond", wcsnrtombs_beyond, REPORTED, NARROW("wcsnrtombs")},
    {"wcrtomb_beyond", wcrtomb_beyond, REPORTED, BEYOND("wcrtomb", "1 byte") "2 bytes"},
    {"wctomb_beyond", wctomb_beyond, REPORTED, NARROW("wctomb")},
};
PROGRAMS(converts, "conversion");
