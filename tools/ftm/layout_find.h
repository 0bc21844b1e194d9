/*
 * Finds ft_malloc_layout in a source: by its name among the dynamic symbols of the modules, which
 * are read from the process's memory, so that it does not matter in which namespace their files
 * are; or else by its magic bytes in the modules' data, as in static programs and in core files,
 * which lack the read-only parts of modules.
 */
#ifndef FTM_LAYOUT_FIND_H
#define FTM_LAYOUT_FIND_H

#include <stdbool.h>
#include <stdint.h>

struct source;

/*
 * Returns the address, or 0 if there is none. With `quick`, the data of the main program alone is
 * searched for the magic bytes.
 */
uint64_t layout_find(struct source *source, bool quick);

#endif
