/*
 * What debug information, or else a symbol table, knows about an address.
 */
#ifndef FTM_SYMBOLS_DWARF_H
#define FTM_SYMBOLS_DWARF_H

#include "symbols.h"

#include <elfutils/libdwfl.h>

struct names;

/*
 * Fills in functions, files and lines, innermost first. Returns at least 1: if nothing is known, an
 * empty frame. The module may be NULL.
 */
unsigned dwarf_frames(Dwfl_Module *module, uint64_t pc, struct names *names, struct frame *frames,
                      unsigned max);

#endif
