/*
 * Stacks for libft_malloc.so, where frame pointers do not lead far enough.
 */
#ifndef FT_DEBUG_LIBRARY_WALKER_H
#define FT_DEBUG_LIBRARY_WALKER_H

/* Registers the unwinder. Called once, by the constructor. */
void walker_begin(void);

#endif
