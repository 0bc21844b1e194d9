/*
 * Calls each function that allocates, and requires that the library knows who called it: while the
 * history is on, the listing names the caller of each chunk. To be run with the library preloaded
 * and FT_MALLOC_HISTORY.
 */
#include "support/require.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>
#include <unistd.h>

extern "C" int ft_malloc_show_ex(int fd, unsigned flags) __attribute__((weak));

namespace
{

/*
 * Volatile, so that the call is no tail call, and is made.
 * NOLINTBEGIN(bugprone-macro-parentheses)
 */
void *volatile last;

#define CALLER(name, call)                                                                         \
    __attribute__((noinline)) void *name()                                                         \
    {                                                                                              \
        last = call;                                                                               \
        return last;                                                                               \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

void *posix(size_t size)
{
    void *chunk = nullptr;

    return posix_memalign(&chunk, 64, size) == 0 ? chunk : nullptr;
}

CALLER(by_malloc, malloc(100))
CALLER(by_malloc_small, malloc(5000))
CALLER(by_malloc_large, malloc(500000))
CALLER(by_calloc, calloc(1, 100))
CALLER(by_realloc, realloc(nullptr, 100))
CALLER(by_realloc_moves, realloc(malloc(100), 10000))
CALLER(by_reallocarray, reallocarray(nullptr, 10, 10))
CALLER(by_memalign, memalign(64, 100))
CALLER(by_aligned_alloc, aligned_alloc(64, 128))
CALLER(by_posix_memalign, posix(100))
CALLER(by_valloc, valloc(10))
CALLER(by_pvalloc, pvalloc(10))
CALLER(by_new, ::operator new(100))
CALLER(by_new_small, ::operator new(5000))
CALLER(by_new_large, ::operator new(500000))
CALLER(by_new_array, ::operator new[](100))
CALLER(by_new_nothrow, ::operator new(100, std::nothrow))
CALLER(by_new_array_nothrow, ::operator new[](100, std::nothrow))
CALLER(by_new_aligned, ::operator new(100, std::align_val_t(64)))
CALLER(by_new_array_aligned, ::operator new[](100, std::align_val_t(64)))
CALLER(by_new_aligned_nothrow, ::operator new(100, std::align_val_t(64), std::nothrow))

typedef void *caller();

caller *const callers[] = {
    by_malloc,
    by_malloc_small,
    by_malloc_large,
    by_calloc,
    by_realloc,
    by_realloc_moves,
    by_reallocarray,
    by_memalign,
    by_aligned_alloc,
    by_posix_memalign,
    by_valloc,
    by_pvalloc,
    by_new,
    by_new_small,
    by_new_large,
    by_new_array,
    by_new_nothrow,
    by_new_array_nothrow,
    by_new_aligned,
    by_new_array_aligned,
    by_new_aligned_nothrow,
};
enum { CALLERS = sizeof callers / sizeof callers[0], LISTING = 1 << 16 };

/* Reads the listing; a pipe holds all of it. */
void read_listing(char *text)
{
    int ends[2];
    ssize_t length;

    REQUIRE(pipe(ends) == 0 && ft_malloc_show_ex(ends[1], 0) == 0, "no listing");
    length = read(ends[0], text, LISTING - 1);
    REQUIRE(length > 0 && length < LISTING - 1, "%zd bytes", length);
    text[length] = '\0';
    close(ends[0]);
    close(ends[1]);
}

/* Returns the innermost caller of a chunk in the listing. */
unsigned long caller_of(const char *text, const void *chunk)
{
    char line[32];
    const char *found;

    (void)snprintf(line, sizeof line, "\n0x%lX - ", (unsigned long)chunk);
    found = strstr(text, line);
    REQUIRE(found != nullptr, "%p is not listed", chunk);
    found = strstr(found, "#0 0x");
    REQUIRE(found != nullptr, "%p has no caller", chunk);
    return strtoul(found + 3, nullptr, 16);
}

/* Returns the function of the list that begins at the address or last before it. */
caller *function_at(unsigned long address)
{
    caller *nearest = nullptr;

    for (caller *each : callers)
        if ((unsigned long)each <= address &&
            (nearest == nullptr || (unsigned long)each > (unsigned long)nearest))
            nearest = each;
    return nearest;
}

} // namespace

int main()
{
    static char text[LISTING];
    void *chunks[CALLERS];

    if (ft_malloc_show_ex == nullptr)
        return 1;
    for (unsigned n = 0; n < CALLERS; n++)
        chunks[n] = callers[n]();
    read_listing(text);
    for (unsigned n = 0; n < CALLERS; n++) {
        unsigned long address = caller_of(text, chunks[n]);

        REQUIRE(function_at(address) == callers[n], "call %u was made from 0x%lx", n, address);
    }
    return 0;
}
