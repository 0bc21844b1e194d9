/*
 * The pattern is one word per 8 bytes, so that long blocks are quick to write and to check.
 */
#include "support/pattern.h"

#include <string.h>

static uint64_t word_at(size_t index, uint64_t tag)
{
    return (tag + 1) * 0x9E3779B97F4A7C15U ^ (uint64_t)index * 0xC2B2AE3D27D4EB4FU;
}

static unsigned char byte_at(size_t offset, uint64_t tag)
{
    return (unsigned char)(word_at(offset / 8, tag) >> (offset % 8 * 8));
}

void pattern_write(void *block, size_t from, size_t to, uint64_t tag)
{
    unsigned char *bytes = block;
    for (; from < to && from % 8 != 0; from++)
        bytes[from] = byte_at(from, tag);
    for (; from + 8 <= to; from += 8) {
        uint64_t word = word_at(from / 8, tag);
        memcpy(bytes + from, &word, 8);
    }
    for (; from < to; from++)
        bytes[from] = byte_at(from, tag);
}

size_t pattern_mismatch(const void *block, size_t size, uint64_t tag)
{
    const unsigned char *bytes = block;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t found;
        memcpy(&found, bytes + at, 8);
        if (found != word_at(at / 8, tag))
            break;
    }
    while (at < size && bytes[at] == byte_at(at, tag))
        at++;
    return at;
}

size_t pattern_first_nonzero(const void *block, size_t size)
{
    const unsigned char *bytes = block;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t found;
        memcpy(&found, bytes + at, 8);
        if (found != 0)
            break;
    }
    while (at < size && bytes[at] == 0)
        at++;
    return at;
}
