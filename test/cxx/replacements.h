/*
 * Definitions of operator new and delete, those of a set: REPLACE says which, a bit for each of the
 * forms that others are built on. With HEADER there are 16 bytes before each block, which say whose
 * it is. They count what is live.
 */
#ifndef FT_TEST_CXX_REPLACEMENTS_H
#define FT_TEST_CXX_REPLACEMENTS_H

#define REPLACES_NEW 1
#define REPLACES_ARRAY 2
#define REPLACES_ALIGNED 4
#define REPLACES_ARRAY_ALIGNED 8

/*
 * How many calls of each replacement were made, and how many blocks of them are live; 0 for what is
 * not replaced.
 */
struct replacement {
    long made;
    long live;
};

extern "C" {
/* By REPLACES_... as bit numbers: 0 to 3. */
extern struct replacement replacements[4];
extern const int replaced;
}

#endif
