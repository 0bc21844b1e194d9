/*
 * A core file of the memory that a snapshot has, with the notes that the kernel writes. A real one
 * has all of the address space, which is too much for thousands of readings.
 */
#ifndef FT_TEST_FTM_MAKE_CORE_H
#define FT_TEST_FTM_MAKE_CORE_H

#include <stddef.h>

/*
 * Returns the bytes, to be freed, or NULL. *headers is how many of them, from the beginning, are
 * headers and notes.
 */
unsigned char *make_core(const unsigned char *snapshot, size_t snapshot_size, size_t *size,
                         size_t *headers);

#endif
