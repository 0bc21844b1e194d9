/*
 * Short copies and comparisons, in place. Most are so short that a call of the C library's function
 * would take longer than the work, and that pays for a part of the checks.
 *
 * Everything is read before anything is written, so the ranges may overlap.
 */
#ifndef FT_DEBUG_LIBRARY_SHORT_H
#define FT_DEBUG_LIBRARY_SHORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHORT_COPY = 32, SHORT_COMPARISON = 16 };

#define SHORT_INLINE static inline __attribute__((always_inline))
#define SHORT_TYPE(name, type) typedef type name __attribute__((aligned(1), may_alias))

SHORT_TYPE(short_2, uint16_t);
SHORT_TYPE(short_4, uint32_t);
SHORT_TYPE(short_8, uint64_t);
typedef uint64_t short_16 __attribute__((vector_size(16), aligned(1), may_alias));

/* Copies the first and the last bytes of a range, which may overlap. */
#define SHORT_MOVE(type, to, from, size)                                                           \
    do {                                                                                           \
        type first = *(const type *)(from);                                                        \
        type last = *(const type *)((from) + (size) - sizeof last);                                \
                                                                                                   \
        *(type *)(to) = first;                                                                     \
        *(type *)((to) + (size) - sizeof last) = last;                                             \
    } while (0)

/* At most SHORT_COPY bytes. */
SHORT_INLINE void short_copy(unsigned char *to, const unsigned char *from, size_t size)
{
    if (size >= sizeof(short_16))
        SHORT_MOVE(short_16, to, from, size);
    else if (size >= sizeof(short_8))
        SHORT_MOVE(short_8, to, from, size);
    else if (size >= sizeof(short_4))
        SHORT_MOVE(short_4, to, from, size);
    else if (size >= sizeof(short_2))
        SHORT_MOVE(short_2, to, from, size);
    else if (size != 0)
        *to = *from;
}

/* The difference of the first bytes that differ. The one at the lowest address is the lowest. */
SHORT_INLINE int short_order(uint64_t one, uint64_t other)
{
    int shift = __builtin_ctzll(one ^ other) & ~7;

    return (int)(one >> shift & 0xff) - (int)(other >> shift & 0xff);
}

#define SHORT_COMPARE(type, one, other, size, order)                                               \
    do {                                                                                           \
        uint64_t a = *(const type *)(one), b = *(const type *)(other);                             \
                                                                                                   \
        if (a == b) {                                                                              \
            a = *(const type *)((one) + (size) - sizeof(type));                                    \
            b = *(const type *)((other) + (size) - sizeof(type));                                  \
        }                                                                                          \
        (order) = a == b ? 0 : short_order(a, b);                                                  \
    } while (0)

/* At most SHORT_COMPARISON bytes, and not none. */
SHORT_INLINE int short_compare(const unsigned char *one, const unsigned char *other, size_t size)
{
    int order;

    if (size >= sizeof(short_8))
        SHORT_COMPARE(short_8, one, other, size, order);
    else if (size >= sizeof(short_4))
        SHORT_COMPARE(short_4, one, other, size, order);
    else if (size >= sizeof(short_2))
        SHORT_COMPARE(short_2, one, other, size, order);
    else
        order = *one - *other;
    return order;
}

#endif
