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
    /* Of more slack than this, the first bytes hold the pattern; the next ones, up to that, are zero. */
    CANARY_MAX = 64,
    CANARY_SLACK_MAX = 1024,
    /* Of a larger chunk, the first bytes are looked at when it is handed out. */
    CANARY_ZERO_MAX = 1024,
};

static inline size_t canary_length(size_t requested, size_t usable)
{
    return usable - requested < CANARY_MAX ? usable - requested : CANARY_MAX;
}

/* The end of the slack that is looked at. */
static inline const char *canary_end(uintptr_t chunk, size_t requested, size_t usable)
{
    size_t slack = usable - requested < CANARY_SLACK_MAX ? usable - requested : CANARY_SLACK_MAX;

    return (const char *)chunk + requested + slack; // NOLINT: an address becomes a pointer
}

/* Half of it is thrown away, so that who reads one cannot compute others. No byte is zero: strings end in one. */
static inline uint64_t canary_word(uintptr_t chunk)
{
    uint64_t half = os_scramble(os_scramble(chunk ^ os_canary_keys[0]) + os_canary_keys[1]) >> 32;

    return (half << 32 | half) | UINT64_C(0x0101010101010101);
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
    for (const char *end = canary_end(chunk, requested, usable); at < end; at++)
        wrong |= (uint8_t)*at;
    return wrong == 0;
}

/* For those who go on with a chunk of which canary_intact() is false. */
static inline void canary_mend(uintptr_t chunk, size_t requested, size_t usable)
{
    char *from = (char *)chunk + requested; // NOLINT: an address becomes a pointer

    memset(from, 0, (size_t)(canary_end(chunk, requested, usable) - from));
    canary_set(chunk, requested, usable);
}

/* The chunk becomes zero again, and its canary with it; behind that it is, if the canary was intact. */
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
