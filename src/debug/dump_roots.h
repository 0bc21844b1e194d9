/*
 * The roots: constants and variables of the library that readers of a snapshot begin at.
 */
#ifndef FT_DEBUG_DUMP_ROOTS_H
#define FT_DEBUG_DUMP_ROOTS_H

#include "debug/dump_write.h"

/* Writes all that ft_malloc_layout has addresses of, unless dump.c writes it otherwise. */
void dump_roots(struct dump *dump);

#endif
