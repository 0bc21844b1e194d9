/* A header that does not compile alone: check_header must refuse it. */
#ifndef FT_TEST_BAD_HEADER_H
#define FT_TEST_BAD_HEADER_H

size_t bad_function(void);

#endif
