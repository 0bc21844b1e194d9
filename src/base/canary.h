/*
 * Canaries and cleared memory, for hardened mode. The bytes from the end of a request to the end of
 * its chunk hold a pattern that others cannot guess. A write past the end of the request destroys
 * the pattern, and this is detected when the chunk is freed. Free memory is zero, so a write after
 * free() is detected when the chunk is handed out again.
 *
 * Chunks begin and end at multiples of 16, so everything is done in words at multiples of 8: a
 * byte's address determines which byte of the pattern it holds. In the word that contains the end
 * of the request, only the bytes behind the request belong to the canary.
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
     * If the slack is larger than CANARY_MAX, its first bytes hold the pattern, and the bytes after
     * them are zero and are checked up to CANARY_SLACK_MAX.
     */
    CANARY_MAX = 64,
    CANARY_SLACK_MAX = 1024,
    /* If a chunk is larger than this, only its first bytes are checked when it is handed out. */
    CANARY_ZERO_MAX = 1024,
    CANARY_WORD = sizeof(uint64_t),
    /* A chunk of up to this size is cleared without a call. */
    CANARY_CLEAR_MAX = 256,
    /* From this size on, only the pages that were written to are cleared. */
    CANARY_PAGES_FROM = 2 * OS_PAGE,
};

/* Two words, which are one value on processors that have such registers. */
typedef uint64_t canary_pair __attribute__((vector_size(2 * CANARY_WORD)));

/* Returns how many bytes of the slack hold the pattern: up to 64, ending at a multiple of 8. */
static inline size_t canary_length(size_t requested, size_t usable)
{
    return usable - requested <= CANARY_MAX ? usable - requested
                                            : CANARY_MAX - requested % CANARY_WORD;
}

/* Returns the end of the part of the slack that is checked. */
static inline const char *canary_end(uintptr_t chunk, size_t requested, size_t usable)
{
    size_t end = round_up(requested, CANARY_WORD) + CANARY_SLACK_MAX;

    return (const char *)pointer_to(chunk) + (usable < end ? usable : end);
}

/*
 * Keeps only half of the hash, so that a leaked canary does not reveal others. No byte is zero,
 * because a string ends with a zero byte and could then overwrite it unnoticed.
 */
static inline uint64_t canary_word(uintptr_t chunk)
{
    uint64_t half =
        secret_scramble(secret_scramble(chunk ^ secret_canary_keys[0]) + secret_canary_keys[1]) >>
        32;

    return (half << 32 | half) | UINT64_C(0x0101010101010101);
}

/*
 * Returns a mask of the bytes that come after the end of the request in its last word. Both
 * supported processors store the lowest byte first.
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

/* Returns true if all words from `at` to `end` are zero. */
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

/* Restores the canary after canary_intact() returned false, for callers that continue. */
static inline void canary_mend(uintptr_t chunk, size_t requested, size_t usable)
{
    char *from = (char *)pointer_to(chunk) + requested;

    memset(from, 0, (size_t)(canary_end(chunk, requested, usable) - from));
    canary_set(chunk, requested, usable);
}

/* Clears a chunk of up to CANARY_CLEAR_MAX bytes. */
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
 * Clears memory from `at` up to the next page boundary, if any of it is not zero. Returns that
 * boundary.
 */
static inline char *canary_clear_page(char *at)
{
    char *next = pointer_to(((uintptr_t)at | (OS_PAGE - 1)) + 1);

    /* Look in short steps, because the first one usually tells. */
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
 * Clears the request and its canary. The rest of the slack is zero already if the canary was
 * intact. A program that asks for many pages often uses few of them, so pages that were never
 * written to are only read, which takes no memory.
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

/* Returns true if the checked part of a chunk is zero. */
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
