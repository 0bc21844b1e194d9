/*
 * The listing as text, for show_alloc_mem() and ft_malloc_show().
 */
#ifndef FT_DEBUG_SHOW_H
#define FT_DEBUG_SHOW_H

/*
 * Writes the listing to a descriptor. Returns 0 or an error number: what write() said, after which
 * nothing more is written; or ENOMEM if the list is not complete, which a line on stderr says, too,
 * in the name of `function`. Keeps errno.
 */
int show_listing(int fd, const char *function);

#endif
