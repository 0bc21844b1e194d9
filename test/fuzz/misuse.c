/*
 * Misuse with FT_MALLOC_ON_ERROR=report: one line names the function and the pointer, and nothing
 * changes.
 */
#include "fuzz/fuzz.h"

#include "api/api.h"
#include "arena/lookup.h"
#include "base/options.h"
#include "fuzz/operators.h"
#include "support/prefixed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ERRNO_BEFORE = 4243 };

static unsigned char static_bytes[64];

static void *foreign(void)
{
    static const uintptr_t addresses[] = {
        1,
        8,
        16,
        0xFFF0,
        0x400000000000,
        0x7FFFFFFFFFF0,
        0x00FFFFFFFFFFFFF0,
        0x8000000000000010,
        0x0000800000000000,
        0xFFFF888000000010,
        UINTPTR_MAX - 15,
        UINTPTR_MAX,
    };
    static void *libc_chunk;
    unsigned kind = input_byte();

    if (libc_chunk == NULL)
        libc_chunk = malloc(200);
    switch (kind % 4) {
    case 0:
        return static_bytes + kind % 40;
    case 1:
        return (char *)__builtin_frame_address(0) + kind % 32;
    case 2:
        return libc_chunk;
    default:
        return (void *)addresses[kind / 4 % (sizeof addresses / sizeof addresses[0])];
    }
}

/* NULL if there is no such chunk now. */
static void *wrong_pointer(void)
{
    unsigned kind = input_byte();
    struct held *slot = &fuzz.slots[input_byte()];
    uintptr_t address = (uintptr_t)slot->start;
    size_t distance = input_word();

    switch (kind % 4) {
    case 0:
        return foreign();
    case 1:
        /*
         * A chunk that was freed, in any way. If another chunk has taken its place, freeing it is
         * no misuse.
         */
        address = fuzz.freed_count == 0 ? 0 : fuzz.freed[distance % FREED];
        break;
    case 2:
        address =
            slot->start == NULL || slot->size < 2 ? 0 : address + 1 + distance % (slot->size - 1);
        break;
    default:
        /* An address somewhere near: inside another chunk, in a free one, or in a heap's header. */
        if (slot->start != NULL)
            address += kind & 128 ? distance * 16 : 0 - distance * 64;
    }
    return slot_starting(address) != NULL ? NULL : (void *)address;
}

static bool frees(unsigned function)
{
    return function < 4;
}

static const char *call(unsigned function, void *pointer)
{
    switch (function) {
    case 0:
        ft_free(pointer);
        return "free()";
    case 1:
        ft_cfree(pointer);
        return "free()";
    case 2:
        ft_free_sized(pointer, 42);
        return "free";
    case 3:
        ft_free_aligned_sized(pointer, 16, 42);
        return "free";
    case 4:
        REQUIRE(ft_realloc(pointer, input_word() + 1) == NULL,
                "realloc of a wrong pointer is not refused");
        return "realloc()";
    case 5:
        REQUIRE(ft_realloc(pointer, 0) == NULL, "realloc to 0 of a wrong pointer is not refused");
        return "realloc()";
    case 6:
        REQUIRE(ft_reallocarray(pointer, input_byte() + 1, 3000) == NULL,
                "reallocarray of a wrong pointer is not refused");
        return "realloc()";
    default:
        REQUIRE(ft_malloc_usable_size(pointer) == 0, "a wrong pointer has a usable size");
        return "malloc_usable_size()";
    }
}

static void require_reported(const char *function, void *pointer)
{
    struct output output = output_taken(STDERR_FILENO);
    char head[60];
    char named[40];

    (void)snprintf(head, sizeof head, "ft_malloc: %s", function);
    (void)snprintf(named, sizeof named, " %p", pointer);
    REQUIRE(strncmp(output.text, head, strlen(head)) == 0, "%s of %p is reported as \"%s\"",
            function, pointer, output.text);
    REQUIRE(strstr(output.text, named) != NULL, "%p is not in \"%s\"", pointer, output.text);
    REQUIRE(strchr(output.text, '\n') == output.text + output.length - 1, "not one line: \"%s\"",
            output.text);
}

static const char *free_with_wrong_size(unsigned function, const struct held *old, size_t wrong)
{
    switch (function % 4) {
    case 0:
        ft_free_sized(old->start, wrong);
        return "free_sized()";
    case 1:
        ft_free_aligned_sized(old->start, old->alignment, wrong);
        return "free_aligned_sized()";
    case 2:
        ft_delete_sized(old->start, wrong);
        return "operator delete()";
    default:
        ft_delete_array_sized_aligned(old->start, wrong, old->alignment);
        return "operator delete[]()";
    }
}

/*
 * A state with the largest slack that it can express may stand for more. Then smaller sizes are
 * accepted.
 */
static bool smaller_believed(const void *start)
{
    struct chunk chunk;

    return !options.harden && lookup_live((uintptr_t)start, &chunk) && chunk.zone == ZONE_TINY &&
           chunk.usable - chunk.requested == TINY_SLACK_MAX;
}

/* The library reports the call and frees the chunk nevertheless, which is what the caller meant. */
void command_wrong_size(void)
{
    unsigned function = input_byte();
    struct held *slot = &fuzz.slots[input_byte() % SINGLE_SLOTS];
    size_t distance = input_word(), less = slot->size == 0 ? 0 : distance % slot->size;
    struct held old = *slot;
    const char *named;
    bool more = (function & 128) != 0, believed;

    if (slot->start == NULL || slot->shown != slot->size)
        return;
    believed = !more && smaller_believed(old.start);
    held_leave(slot);
    named =
        free_with_wrong_size(function, &old, more ? old.size + distance + 1 : old.size - less - 1);
    if (!believed)
        require_reported(named, old.start);
    figures_require_exact();
}

void command_misuse(void)
{
    unsigned function = input_byte() % 8;
    void *pointer = wrong_pointer();
    const char *named;

    if (pointer == NULL)
        return;
    errno = ERRNO_BEFORE;
    named = call(function, pointer);
    REQUIRE(errno == ERRNO_BEFORE || !frees(function), "%s of a wrong pointer changes errno to %d",
            named, errno);
    require_reported(named, pointer);
    figures_require_exact();
}
