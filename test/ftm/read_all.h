/*
 * Reads a file in every way that ftm has, and makes nothing of it: what the tests of broken files
 * and the fuzzer call.
 */
#ifndef FT_TEST_FTM_READ_ALL_H
#define FT_TEST_FTM_READ_ALL_H

#include <stdbool.h>

/* Returns true if the file could be opened and had a heap. */
bool read_all(const char *path);

#endif
