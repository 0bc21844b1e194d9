/*
 * Definitions of operator new and delete. REPLACE says which ones, with a bit for each of the forms
 * that others are built on. With HEADER, 16 bytes before each block say whose it is. The
 * definitions count what is live.
 */
#ifndef FT_TEST_CXX_REPLACEMENTS_H
#define FT_TEST_CXX_REPLACEMENTS_H

#define REPLACES_NEW 1
#define REPLACES_ARRAY 2
#define REPLACES_ALIGNED 4
#define REPLACES_ARRAY_ALIGNED 8

/*
 * The number of calls of each replacement, and of live blocks from it; 0 for a form that is not
 * replaced.
 */
struct replacement {
    long made;
    long live;
};

extern "C" {
/* Indexed by the REPLACES_... constants as bit numbers, 0 to 3. */
extern struct replacement replacements[4];
extern const int replaced;
}

#endif
