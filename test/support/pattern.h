/*
 * Contents that tell where they belong: byte i of a block depends on the block's tag and on i, so
 * that a block that was overwritten, moved wrongly or handed out twice is noticed when it is
 * checked.
 */
#ifndef FT_TEST_SUPPORT_PATTERN_H
#define FT_TEST_SUPPORT_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* Writes the pattern of tag to bytes [from, to) of block. */
void pattern_write(void *block, size_t from, size_t to, uint64_t tag);

/* The offset of the first byte in [0, size) that is not the pattern's, or size when all are. */
size_t pattern_mismatch(const void *block, size_t size, uint64_t tag);

/* The offset of the first byte in [0, size) that is not zero, or size when all are. */
size_t pattern_first_nonzero(const void *block, size_t size);

#endif
