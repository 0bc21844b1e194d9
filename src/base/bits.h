/*
 * Bit maps. Heaps keep one of their units. Pure functions.
 */
#ifndef FT_BASE_BITS_H
#define FT_BASE_BITS_H

#include <stdint.h>

/* Returns the bits of the range that are in the same word as its first one. */
static inline uint64_t bits_of_word(unsigned first, unsigned end)
{
    unsigned left = 64 - first % 64;

    return end - first < left ? ((UINT64_C(1) << (end - first)) - 1) << (first % 64)
                              : ~UINT64_C(0) << (first % 64);
}

static inline void bits_set(uint64_t *map, unsigned first, unsigned count)
{
    for (unsigned end = first + count; first < end; first = (first / 64 + 1) * 64)
        map[first / 64] |= bits_of_word(first, end);
}

static inline void bits_clear(uint64_t *map, unsigned first, unsigned count)
{
    for (unsigned end = first + count; first < end; first = (first / 64 + 1) * 64)
        map[first / 64] &= ~bits_of_word(first, end);
}

static inline int bit_get(const uint64_t *map, unsigned bit)
{
    return (int)(map[bit / 64] >> (bit % 64) & 1);
}

/*
 * Returns the first bit at or after `from` that is set, or `end` if there is none. If `flip` is all
 * ones, looks for a bit that is clear.
 */
static inline unsigned bit_next(const uint64_t *map, unsigned from, unsigned end, uint64_t flip)
{
    while (from < end) {
        uint64_t word = (map[from / 64] ^ flip) >> (from % 64);

        if (word != 0) {
            from += (unsigned)__builtin_ctzll(word);
            break;
        }
        from = (from / 64 + 1) * 64;
    }
    return from < end ? from : end;
}

/* Returns how many of `count` bits are set. */
static inline unsigned bits_count(const uint64_t *map, unsigned first, unsigned count)
{
    unsigned end = first + count, sum = 0;

    for (; first < end; first = (first / 64 + 1) * 64)
        sum += (unsigned)__builtin_popcountll(map[first / 64] & bits_of_word(first, end));
    return sum;
}

/*
 * Clears each aligned group of `group` bits in which any bit is clear. `group` is a power of two
 * below 64.
 */
static inline uint64_t bits_whole(uint64_t word, unsigned group)
{
    uint64_t firsts = ~UINT64_C(0) / ((UINT64_C(1) << group) - 1);

    for (unsigned step = 1; step < group; step *= 2)
        word &= word >> step;
    word &= firsts;
    for (unsigned step = 1; step < group; step *= 2)
        word |= word << step;
    return word;
}

/*
 * Returns a word with a bit set for each place in `low` where a run of `units` set bits begins. A
 * run may continue in `high`. `units` is at most 64.
 */
static inline uint64_t run_starts(uint64_t low, uint64_t high, unsigned units)
{
    unsigned __int128 bits = (unsigned __int128)high << 64 | low;

    /* After each step, the set bits mark the beginnings of runs that are `step` longer. */
    for (unsigned step; units > 1; units -= step) {
        step = units / 2;
        bits &= bits >> step;
    }
    return (uint64_t)bits;
}

/*
 * Returns the place of the lowest run of `units` set bits that begins at a multiple of `align`, a
 * power of two below 64. Returns `end` if there is none. A run ends with the last word of the map.
 */
static inline unsigned run_find(const uint64_t *map, unsigned end, unsigned units, unsigned align)
{
    uint64_t places = ~UINT64_C(0) / ((UINT64_C(1) << align) - 1);

    for (unsigned word = 0; word < end / 64; word++) {
        uint64_t next = word + 1 < end / 64 ? map[word + 1] : 0;
        uint64_t starts = map[word] == 0 ? 0 : run_starts(map[word], next, units) & places;

        if (starts != 0)
            return word * 64 + (unsigned)__builtin_ctzll(starts);
    }
    return end;
}

#endif
