/*
 * Searches in lists that are sorted by a member of type uint64_t.
 */
#ifndef FTM_SEARCH_H
#define FTM_SEARCH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Returns the index of the first element whose key is above `key`, or `count` if there is none. An
 * element has `size` bytes, and its key is at `offset`. `list` may be NULL if `count` is 0.
 */
static inline size_t search_above(const void *list, size_t count, size_t size, size_t offset,
                                  uint64_t key)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t found;

        memcpy(&found, (const char *)list + middle * size + offset, sizeof found);
        if (found <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Returns the index of the first element whose `member` is above the key, or not below it. */
#define SEARCH_ABOVE(list, count, member, key)                                                     \
    search_above(list, count, sizeof *(list), offsetof(__typeof__(*(list)), member), key)
#define SEARCH_FROM(list, count, member, key)                                                      \
    ((key) == 0 ? 0 : SEARCH_ABOVE(list, count, member, (key)-1))

#endif
