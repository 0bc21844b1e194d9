/*
 * libft_malloc_debug.so checks functions of the C library against the bounds of live chunks. It is
 * preloaded beside libft_malloc.so, which never needs it. This header is what the checked functions
 * share: how a definition gets the name that the program calls, and the checks themselves.
 *
 * A check asks ft_malloc_bounds() about the address, which takes no lock. What is in no chunk, such
 * as a variable on the stack, is let pass. Only what would really be accessed is checked, and not
 * what a caller allows: snprintf() with a size above that of the buffer is no mistake if the text
 * fits.
 */
#ifndef FT_DEBUG_LIBRARY_CHECKED_H
#define FT_DEBUG_LIBRARY_CHECKED_H

#include "bounds.h"
#include "ft_malloc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHECKED_API __attribute__((visibility("default")))
/* The name that the linker sees. In the sources each function is called checked_NAME. */
#define CHECKED_NAME(name) __asm__(#name)
#define CHECKED_INLINE static inline __attribute__((always_inline))

/*
 * Reports an access of `bytes` bytes, unless libft_malloc.so itself makes it: `caller` is the
 * return address of the checked function. Returns if it does, or if reports do not end the process.
 */
void checked_fail(const char *function, const void *pointer, size_t bytes, bool write,
                  const void *caller) __attribute__((cold));

/* Returns whether the code belongs to libft_malloc.so. */
bool checked_is_core(const void *code);

/* What the C library's __..._chk functions do when the compiler's bound is exceeded. */
void __chk_fail(void) __attribute__((noreturn));

CHECKED_INLINE void check_access(const char *function, const void *pointer, size_t bytes,
                                 bool write)
{
    if (bytes != 0 && __builtin_expect(!bounds_hold(pointer, bytes), false))
        checked_fail(function, pointer, bytes, write, __builtin_return_address(0));
}

CHECKED_INLINE void check_write(const char *function, const void *pointer, size_t bytes)
{
    check_access(function, pointer, bytes, true);
}

CHECKED_INLINE void check_read(const char *function, const void *pointer, size_t bytes)
{
    check_access(function, pointer, bytes, false);
}

/* For what is handed to the kernel, perhaps several chunks at once. */
CHECKED_INLINE void check_sent(const char *function, const void *pointer, size_t bytes)
{
    if (bytes != 0 && __builtin_expect(!bounds_hold_joined(pointer, bytes), false))
        checked_fail(function, pointer, bytes, false, __builtin_return_address(0));
}

/* Returns the length of a text of at most `most` bytes; one that ends in no chunk is reported. */
CHECKED_INLINE size_t check_text(const char *function, const char *text, size_t most)
{
    size_t room = bounds_room(text), bound = room < most ? room : most;
    size_t found = bound == SIZE_MAX ? strlen(text) : strnlen(text, bound);

    if (__builtin_expect(found == room && room < most, false)) {
        checked_fail(function, text, room + 1, false, __builtin_return_address(0));
        found = strnlen(text, most);
    }
    return found;
}

/* For __..._chk functions: `object` is what the compiler knows of the size of the destination. */
CHECKED_INLINE void check_object(size_t bytes, size_t object)
{
    if (__builtin_expect(object < bytes, false))
        __chk_fail();
}

/* How many characters fit, or SIZE_MAX if there is no chunk. */
CHECKED_INLINE size_t wide_room(const wchar_t *to)
{
    size_t room = bounds_room(to);

    return room == SIZE_MAX ? SIZE_MAX : room / sizeof *to;
}

#endif
