/*
 * Stacks in reports: a line for each call on standard error, such as
 *
 *     #1 0x55d0c3a011f7 main+0x2e (/usr/bin/program+0x11f7)
 */
#ifndef FT_DEBUG_LIBRARY_STACK_H
#define FT_DEBUG_LIBRARY_STACK_H

#include <stdint.h>

/* Writes the calls of the thread, without those of this library and of libft_malloc.so. */
void stack_write(void);

/*
 * Writes the calls that led to the instruction at which a signal came. To be called in its handler;
 * on another stack, only the instruction itself is known.
 */
void stack_write_from(uintptr_t instruction);

/* Writes a line for a call, given its return address or the address of the instruction. */
void stack_write_line(unsigned number, uintptr_t address);

#endif
