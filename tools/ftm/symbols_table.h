/*
 * The symbol table of a module, sorted. libdwfl looks at all symbols for each address; a program
 * with a hundred thousand symbols took longer to name its callers than to run.
 */
#ifndef FTM_SYMBOLS_TABLE_H
#define FTM_SYMBOLS_TABLE_H

#include <elfutils/libdwfl.h>

/* Returns the linkage name of what is at the address, as dwfl_module_addrinfo() does, or NULL. */
const char *symbols_table_name(Dwfl_Module *module, uint64_t pc);

/* Ends what the module keeps for that. */
void symbols_table_free(Dwfl_Module *module);

#endif
