/*
 * What a snapshot with contents needs of the program itself, so that `ftm leaks` finds its roots:
 * its mappings that hold data, and its threads. For containers in which nobody may look from
 * outside.
 */
#ifndef FT_DEBUG_LIBRARY_DUMP_PROGRAM_H
#define FT_DEBUG_LIBRARY_DUMP_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/* As the hook `dump` is given it: see debug/hooks.h. */
typedef void dump_section_function(void *context, uint32_t type, uint64_t address,
                                   const void *payload, size_t length);

/*
 * Adds the sections. `maps` is the text of /proc/self/maps, with a 0 behind it. Chunks in heaps are
 * left out, because the first library writes them. Nothing is allocated.
 */
void dump_program(const char *maps, dump_section_function *section, void *context);

#endif
