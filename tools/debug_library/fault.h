/*
 * The handler of SIGSEGV and SIGBUS.
 */
#ifndef FT_DEBUG_LIBRARY_FAULT_H
#define FT_DEBUG_LIBRARY_FAULT_H

/* Installs the handler. Called once, by the constructor. */
void fault_begin(void);

#endif
