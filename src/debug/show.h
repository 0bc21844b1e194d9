/*
 * The listing as text, for show_alloc_mem(), ft_malloc_show() and their longer forms.
 */
#ifndef FT_DEBUG_SHOW_H
#define FT_DEBUG_SHOW_H

#include "base/text.h"
#include "debug/listing.h"

/*
 * Writes the listing to a descriptor. Returns 0 or an error number: what write() said, after which
 * nothing more is written; or ENOMEM if the list is not complete, which a line on stderr says, too,
 * in the name of `function`. Keeps errno.
 */
int show_listing(int fd, const char *function);

/*
 * Writes the listing with what a mode knows of each chunk, the chunk's bytes if the flags say so,
 * and the history. Returns what show_listing() returns, or EINVAL for flags that are not known.
 */
int show_extended(int fd, unsigned flags, const char *function);

/* What to add to a listing. `complete` is false if there was no memory for it. */
struct show_more {
    void (*chunk)(void *context, struct text *text, const struct listed_chunk *chunk);
    void (*end)(void *context, struct text *text);
    void *context;
    bool complete;
};
int show_listing_with(int fd, const char *function, const struct show_more *more);

#endif
