/*
 * Calls that have to do with guarded chunks (debug/guard.h). Services, like those of api.h.
 */
#ifndef FT_API_GUARDED_H
#define FT_API_GUARDED_H

#include "bins/chunk.h"

/*
 * Changes the size of a live chunk that is guarded: moves it to one that the service for any size
 * returns. If there is no memory, a chunk that shrinks stays where it is, and else NULL is
 * returned, with errno set to ENOMEM. `size` is not 0.
 */
void *guarded_realloc(const struct chunk *chunk, size_t size, void *frame);

/*
 * Moves a live chunk of any kind to a guarded one, and returns that. Returns NULL, having done
 * nothing, if the pointer is that of no live chunk or no guarded chunk is to be had.
 */
void *guarded_move(void *pointer, size_t size, void *frame);

#endif
