/*
 * What a snapshot of the first library cannot know: the process's mappings and its command.
 */
#ifndef FT_DEBUG_LIBRARY_DUMP_SECTIONS_H
#define FT_DEBUG_LIBRARY_DUMP_SECTIONS_H

#include <stddef.h>
#include <stdint.h>

/* For the hook `dump`: see debug/hooks.h. */
void dump_sections(unsigned flags,
                   void (*section)(void *context, uint32_t type, uint64_t address,
                                   const void *payload, size_t length),
                   void *context);

#endif
