/*
 * Contents that tell where they belong. Byte i of a block depends on the block's tag and on i, so
 * that a check notices a block that was overwritten, moved wrongly or handed out twice.
 */
#ifndef FT_TEST_SUPPORT_PATTERN_H
#define FT_TEST_SUPPORT_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* Writes the pattern of `tag` to bytes [from, to) of the block. */
void pattern_write(void *block, size_t from, size_t to, uint64_t tag);

/*
 * Returns the offset of the first byte in [0, size) that is not the pattern's, or size if all are.
 */
size_t pattern_mismatch(const void *block, size_t size, uint64_t tag);

/* Returns the offset of the first byte in [0, size) that is not zero, or size if all are. */
size_t pattern_first_nonzero(const void *block, size_t size);

#endif
