/*
 * Names, addresses and dates that do not fit into their chunk.
 */
#include "programs.h"

#include <arpa/inet.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { SIZE = 8, MORE = 100 };

static const struct tm day = {.tm_year = 126, .tm_mon = 10, .tm_mday = 29};
static const time_t moment = 1795910400;
static const unsigned char address[16] = {10, 20, 30, 40};

static bool realpath_beyond(void)
{
    return realpath("/proc/self/../self/exe", chunk_of(4)) == NULL;
}

static bool realpath_beyond_without_a_file(void)
{
    return realpath("/usr/no such file", chunk_of(SIZE)) != NULL;
}

/* What programs with _FORTIFY_SOURCE call; the compiler did not know the size of the chunk. */
char *__realpath_chk(const char *path, char *to, size_t object);
int __gethostname_chk(char *to, size_t size, size_t object);

static bool realpath_chk_beyond(void)
{
    return __realpath_chk("/usr/lib", chunk_of(SIZE), (size_t)-1) == NULL;
}

static bool gethostname_beyond(void)
{
    return gethostname(chunk_of(1), opaque_size(HOST_NAME_MAX + 1)) != 0;
}

static bool gethostname_chk_beyond(void)
{
    return __gethostname_chk(chunk_of(1), opaque_size(HOST_NAME_MAX + 1), (size_t)-1) != 0;
}

static bool inet_ntop_beyond(void)
{
    return inet_ntop(AF_INET, address, chunk_of(SIZE), INET_ADDRSTRLEN) == NULL;
}

static bool inet_ntop_reads_beyond(void)
{
    char text[INET6_ADDRSTRLEN];

    return inet_ntop(AF_INET6, chunk_of(SIZE), text, sizeof text) == NULL;
}

static bool inet_pton_beyond(void)
{
    return inet_pton(AF_INET6, "::1", chunk_of(SIZE)) != 1;
}

static bool strftime_beyond(void)
{
    return strftime(chunk_of(SIZE), opaque_size(MORE), "%Y-%m-%d", &day) == 0;
}

static bool strftime_to_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    return strftime(opaque(chunk), opaque_size(SIZE), "", &day) != 0;
}

static bool strftime_l_beyond(void)
{
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);

    return strftime_l(chunk_of(SIZE), opaque_size(MORE), "%Y-%m-%d", &day, locale) == 0;
}

static bool wcsftime_beyond(void)
{
    wchar_t *chunk = (wchar_t *)(void *)chunk_of(SIZE * sizeof(wchar_t));

    return wcsftime(chunk, opaque_size(MORE), L"%Y-%m-%d", &day) == 0;
}

static bool asctime_r_beyond(void)
{
    return asctime_r(&day, chunk_of(25)) == NULL;
}

static bool ctime_r_beyond(void)
{
    return ctime_r(&moment, chunk_of(25)) == NULL;
}

static bool gmtime_r_beyond(void)
{
    return gmtime_r(&moment, (struct tm *)(void *)chunk_of(sizeof(struct tm) - 8)) == NULL;
}

static bool localtime_r_beyond(void)
{
    return localtime_r(&moment, (struct tm *)(void *)chunk_of(sizeof(struct tm) - 8)) == NULL;
}

#define BEYOND(name, many) name "\\(\\): writes " many " past the end of 0x[0-9a-f]+ \\(TINY, "

static const struct program table[] = {
    {"realpath_beyond", realpath_beyond, REPORTED, BEYOND("realpath", "[0-9]+ bytes") "4 bytes"},
    {"realpath_beyond_without_a_file", realpath_beyond_without_a_file, REPORTED,
     BEYOND("realpath", "10 bytes") "8 bytes"},
    {"realpath_chk_beyond", realpath_chk_beyond, REPORTED, BEYOND("realpath", "1 byte") "8 bytes"},
    {"gethostname_beyond", gethostname_beyond, REPORTED, BEYOND("gethostname", "[0-9]+ bytes?")},
    {"gethostname_chk_beyond", gethostname_chk_beyond, REPORTED,
     BEYOND("gethostname", "[0-9]+ bytes?")},
    {"inet_ntop_beyond", inet_ntop_beyond, REPORTED, BEYOND("inet_ntop", "4 bytes") "8 bytes"},
    {"inet_ntop_reads_beyond", inet_ntop_reads_beyond, REPORTED,
     "inet_ntop\\(\\): reads 8 bytes past"},
    {"inet_pton_beyond", inet_pton_beyond, REPORTED, BEYOND("inet_pton", "8 bytes") "8 bytes"},
    {"strftime_beyond", strftime_beyond, REPORTED, BEYOND("strftime", "3 bytes") "8 bytes"},
    {"strftime_to_freed", strftime_to_freed, REPORTED, "strftime\\(\\): writes to the freed chunk"},
    {"strftime_l_beyond", strftime_l_beyond, REPORTED, BEYOND("strftime_l", "3 bytes") "8 bytes"},
    {"wcsftime_beyond", wcsftime_beyond, REPORTED, BEYOND("wcsftime", "12 bytes") "32 bytes"},
    {"asctime_r_beyond", asctime_r_beyond, REPORTED, BEYOND("asctime_r", "1 byte") "25 bytes"},
    {"ctime_r_beyond", ctime_r_beyond, REPORTED, BEYOND("ctime_r", "1 byte") "25 bytes"},
    {"gmtime_r_beyond", gmtime_r_beyond, REPORTED, BEYOND("gmtime_r", "8 bytes") "48 bytes"},
    {"localtime_r_beyond", localtime_r_beyond, REPORTED, BEYOND("localtime_r", "8 bytes")},
};
PROGRAMS(names, "name");
