/*
 * For FT_MALLOC_HARDEN: the bytes behind a request, up to the end of its chunk, hold a pattern that others cannot
 * guess; whoever writes past the end of what was asked for destroys it, which is seen when the chunk is freed. And
 * free memory is zero: whoever writes after free() is found when the chunk is handed out again.
 */
#ifndef FT_OS_CANARY_H
#define FT_OS_CANARY_H

#include "os/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    /* Of more slack than this, the first bytes hold the pattern. */
    CANARY_MAX = 64,
    /* Of a larger chunk, the first bytes are looked at when it is handed out. */
    CANARY_ZERO_MAX = 1024,
};

static inline size_t canary_length(size_t requested, size_t usable)
{
    return usable - requested < CANARY_MAX ? usable - requested : CANARY_MAX;
}

/* No byte of it is zero: what overflows most often is the end of a string. */
static inline uint64_t canary_word(uintptr_t chunk)
{
    return os_scramble(chunk ^ os_secret) | UINT64_C(0x0101010101010101);
}

static inline void canary_set(uintptr_t chunk, size_t requested, size_t usable)
{
    char *at = (char *)chunk + requested; // NOLINT: an address becomes a pointer
    size_t left = canary_length(requested, usable);
    uint64_t word = canary_word(chunk);

    for (; left >= sizeof word; left -= sizeof word, at += sizeof word)
        memcpy(at, &word, sizeof word);
    for (; left > 0; left--, word >>= 8)
        *at++ = (char)word;
}

static inline bool canary_intact(uintptr_t chunk, size_t requested, size_t usable)
{
    const char *at = (const char *)chunk + requested; // NOLINT: an address becomes a pointer
    size_t left = canary_length(requested, usable);
    uint64_t word = canary_word(chunk), found, wrong = 0;

    for (; left >= sizeof word; left -= sizeof word, at += sizeof word) {
        memcpy(&found, at, sizeof found);
        wrong |= found ^ word;
    }
    for (; left > 0; left--, word >>= 8)
        wrong |= (uint8_t)(*at++ ^ (char)word);
    return wrong == 0;
}

/* The chunk becomes zero again, and its canary with it. */
static inline void canary_wipe(uintptr_t chunk, size_t requested, size_t usable)
{
    memset((void *)chunk, 0,
           requested + canary_length(requested, usable)); // NOLINT: an address becomes a pointer
}

/* Whether a chunk is zero, as far as it is looked at. Its size is a multiple of 16. */
static inline bool canary_zero(uintptr_t chunk, size_t usable)
{
    size_t length = usable < CANARY_ZERO_MAX ? usable : CANARY_ZERO_MAX;
    const char *at = (const char *)chunk, *end = at + length; // NOLINT: an address becomes a pointer
    uint64_t words[8], found = 0;

    for (; end - at >= (ptrdiff_t)sizeof words; at += sizeof words) {
        memcpy(words, at, sizeof words);
        found |= words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7];
    }
    for (; at < end; at += 16) {
        memcpy(words, at, 16);
        found |= words[0] | words[1];
    }
    return found == 0;
}

#endif
