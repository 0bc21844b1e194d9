/*
 * Counts calls of dlclose(), after which other code may be where a module was.
 */
#ifndef FT_DEBUG_LIBRARY_MODULE_UNLOAD_H
#define FT_DEBUG_LIBRARY_MODULE_UNLOAD_H

#include <stdint.h>

/* A number that is another one after a module has been unloaded. */
uint64_t module_unloads(void);

#endif
