/*
 * Pointers into the middle of a chunk that stand for a pointer to its start: compilers and
 * libraries keep only these for some kinds of objects. The first four are Valgrind's, by its names.
 *
 *   stdstring            libstdc++'s strings before C++11: length, capacity, users, then text
 *   length64             a 64-bit length of the rest, then the rest (sqlite3)
 *   newarray             new[] of a class with a destructor: the number of elements, then these
 *   multipleinheritance  a base class inside an object: both begin with a table of functions
 *   dtv                  glibc's list of a thread's TLS blocks: a pointer to the second entry
 */
#ifndef FTM_HEURISTIC_H
#define FTM_HEURISTIC_H

#include "mark.h"

/*
 * Returns which of the first three heuristics and `dtv` a chunk of that size and with these first
 * two words fits, out of those that are wanted. A word that the chunk does not have is 0.
 */
unsigned heuristic_hints(unsigned heuristics, uint64_t size, uint64_t first, uint64_t second);

/*
 * Returns whether a pointer that far into a chunk with these hints stands for the whole chunk. An
 * array of no elements has its pointer at the end of a chunk that holds only their number.
 */
bool heuristic_whole(unsigned hints, uint64_t offset);

/*
 * Adds the heuristic of that name to *out; "all" and "none" are names, too. Returns false if there
 * is none of that name.
 */
bool heuristic_named(const char *name, size_t length, unsigned *out);

#endif
