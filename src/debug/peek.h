/*
 * Reading what is in a chunk while other threads may free it or make it smaller.
 */
#ifndef FT_DEBUG_PEEK_H
#define FT_DEBUG_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes can be read at once. Few, because other threads that free may have to wait. */
enum { PEEK_MOST = 1024 };

/*
 * Copies bytes of the chunk that starts at the address. Returns false, having touched nothing, if
 * no live chunk that has these bytes starts there. Which bytes it copies is not known if another
 * thread writes to them meanwhile. Takes the locks of look-ups; the caller holds none of them.
 */
bool peek(uintptr_t start, size_t offset, void *to, size_t size);

#endif
