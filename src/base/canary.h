/*
 * For FT_MALLOC_HARDEN: the bytes behind a request, up to the end of its chunk, hold a pattern that
 * others cannot guess; whoever writes past the end of what was asked for destroys it, which is seen
 * when the chunk is freed. And free memory is zero: whoever writes after free() is found when the
 * chunk is handed out again.
 *
 * Chunks begin and end at multiples of 16, so all is done in words at multiples of 8: which byte of
 * the pattern is where follows from the address. Of the word that the request ends in, the bytes
 * behind it count.
 */
#ifndef FT_BASE_CANARY_H
#define FT_BASE_CANARY_H

#include "base/secret.h"
#include "os/os.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    /*
     * Of more slack than this, the first bytes hold the pattern; the next ones, up to that, are
     * zero.
     */
    CANARY_MAX = 64,
    CANARY_SLACK_MAX = 1024,
    /* Of a larger chunk, the first bytes are looked at when it is handed out. */
    CANARY_ZERO_MAX = 1024,
    CANARY_WORD = sizeof(uint64_t),
    /* Up to this, a chunk is cleared without a call. */
    CANARY_CLEAR_MAX = 256,
    /* From this on, only those of its pages are cleared that were written to. */
    CANARY_PAGES_FROM = 2 * OS_PAGE,
};

/* Two words, as one value where the processor has such registers. */
typedef uint64_t canary_pair __attribute__((vector_size(2 * CANARY_WORD)));

/* Up to 64 bytes, to a multiple of 8. */
static inline size_t canary_length(size_t requested, size_t usable)
{
    return usable - requested <= CANARY_MAX ? usable - requested
                                            : CANARY_MAX - requested % CANARY_WORD;
}

/* The end of the slack that is looked at. */
static inline const char *canary_end(uintptr_t chunk, size_t requested, size_t usable)
{
    size_t end = round_up(requested, CANARY_WORD) + CANARY_SLACK_MAX;

    return (const char *)pointer_to(chunk) + (usable < end ? usable : end);
}

/*
 * Half of it is thrown away, so that who reads one cannot compute others. No byte is zero: strings
 * end in one.
 */
static inline uint64_t canary_word(uintptr_t chunk)
{
    uint64_t half =
        secret_scramble(secret_scramble(chunk ^ secret_canary_keys[0]) + secret_canary_keys[1]) >>
        32;

    return (half << 32 | half) | UINT64_C(0x0101010101010101);
}

/*
 * The bytes of a word that lie behind the request's end in it; both processors have the lowest byte
 * first.
 */
static inline uint64_t canary_mask(size_t requested)
{
    return ~UINT64_C(0) << requested % CANARY_WORD * 8;
}

static inline void canary_set(uintptr_t chunk, size_t requested, size_t usable)
{
    char *at = (char *)pointer_to(chunk) + (requested & ~(size_t)(CANARY_WORD - 1));
    const char *end = (char *)pointer_to(chunk) + requested + canary_length(requested, usable);
    uint64_t word = canary_word(chunk), mask = canary_mask(requested), first;

    memcpy(&first, at, sizeof first);
    first = (first & ~mask) | (word & mask);
    memcpy(at, &first, sizeof first);
    for (at += sizeof word; at < end; at += sizeof word)
        memcpy(at, &word, sizeof word);
}

static inline canary_pair canary_load(const char *at)
{
    canary_pair pair;

    memcpy(&pair, at, sizeof pair);
    return pair;
}

/* Whether all words from `at` to `end` are zero. */
static inline bool canary_zero_words(const char *at, const char *end)
{
    canary_pair found = {0};
    uint64_t last = 0;

    for (; end - at >= (ptrdiff_t)sizeof found; at += sizeof found)
        found |= canary_load(at);
    if (at < end)
        memcpy(&last, at, sizeof last);
    return (found[0] | found[1] | last) == 0;
}

static inline bool canary_intact(uintptr_t chunk, size_t requested, size_t usable)
{
    const char *at = (char *)pointer_to(chunk) + (requested & ~(size_t)(CANARY_WORD - 1));
    const char *end = (char *)pointer_to(chunk) + requested + canary_length(requested, usable);
    uint64_t word = canary_word(chunk), found, wrong;

    memcpy(&found, at, sizeof found);
    wrong = (found ^ word) & canary_mask(requested);
    for (at += sizeof word; at < end; at += sizeof word) {
        memcpy(&found, at, sizeof found);
        wrong |= found ^ word;
    }
    return wrong == 0 && (likely(usable - requested <= CANARY_MAX) ||
                          canary_zero_words(end, canary_end(chunk, requested, usable)));
}

/* For those who go on with a chunk of which canary_intact() is false. */
static inline void canary_mend(uintptr_t chunk, size_t requested, size_t usable)
{
    char *from = (char *)pointer_to(chunk) + requested;

    memset(from, 0, (size_t)(canary_end(chunk, requested, usable) - from));
    canary_set(chunk, requested, usable);
}

/* A chunk of up to CANARY_CLEAR_MAX bytes becomes zero. */
static inline void canary_clear(uintptr_t chunk, size_t usable)
{
    char *at = pointer_to(chunk), *last = at + usable - sizeof(canary_pair);
    const canary_pair zero = {0};

    for (; at < last; at += 2 * sizeof zero) {
        memcpy(at, &zero, sizeof zero);
        memcpy(at + sizeof zero, &zero, sizeof zero);
    }
    memcpy(last, &zero, sizeof zero);
}

/*
 * Clears up to the next multiple of a page's size, if anything is there to be cleared; returns
 * where that is.
 */
static inline char *canary_clear_page(char *at)
{
    char *next = pointer_to(((uintptr_t)at | (OS_PAGE - 1)) + 1);

    /* In short steps: mostly the first one tells. */
    for (const char *seen = at, *step; seen < next; seen = step) {
        step = next - seen > CANARY_MAX ? seen + CANARY_MAX : next;
        if (!canary_zero_words(seen, step)) {
            memset(at, 0, (size_t)(next - at));
            break;
        }
    }
    return next;
}

/*
 * The chunk becomes zero again, and its canary with it; behind that it is, if the canary was
 * intact. Who asks for many pages often uses few: what was never written to is read, which takes no
 * memory, and left as it is.
 */
static inline void canary_wipe(uintptr_t chunk, size_t requested, size_t usable)
{
    char *at = pointer_to(chunk);
    char *end = at + requested + canary_length(requested, usable);

    if (usable >= CANARY_PAGES_FROM)
        while (end - at > OS_PAGE)
            at = canary_clear_page(at);
    memset(at, 0, (size_t)(end - at));
}

/* Whether a chunk is zero, as far as it is looked at. */
static inline bool canary_zero(uintptr_t chunk, size_t usable)
{
    const char *at = pointer_to(chunk);
    const char *last =
        at + (usable < CANARY_ZERO_MAX ? usable : CANARY_ZERO_MAX) - sizeof(canary_pair);
    canary_pair found = canary_load(last);

    for (; at < last; at += 2 * sizeof found)
        found |= canary_load(at) | canary_load(at + sizeof found);
    return (found[0] | found[1]) == 0;
}

#endif
