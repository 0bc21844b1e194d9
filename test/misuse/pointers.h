/*
 * The wrong pointers of the misuse tests, by name, each with the text by which the library must
 * call it.
 */
#ifndef FT_TEST_MISUSE_POINTERS_H
#define FT_TEST_MISUSE_POINTERS_H

#include <stdbool.h>
#include <stddef.h>

struct wrong_pointer {
    void *pointer;
    char verdict[160]; /* "double free of 0x... (TINY, 42 bytes)" */
};

/* Returns false if there is no pointer of that name. */
bool wrong_pointer_make(const char *name, struct wrong_pointer *wrong);

/* Parts of it: pointers that belong to no chunk, and those between the chunks of a zone's heaps. */
bool wrong_foreign_make(const char *name, struct wrong_pointer *wrong);
bool wrong_between_make(const char *name, const char *zone, size_t size,
                        struct wrong_pointer *wrong);

#endif
