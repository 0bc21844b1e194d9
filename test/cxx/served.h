/*
 * Whether a block comes from the library under test: show_alloc_mem, looked up at run time, lists
 * it with its size.
 */
#ifndef FT_TEST_CXX_SERVED_H
#define FT_TEST_CXX_SERVED_H

#include <cstddef>

bool served_by_library(const void *block, std::size_t size);

#endif
