/*
 * The signal of FT_MALLOC_DUMP=FD,SIGNAL.
 */
#ifndef FT_DEBUG_LIBRARY_DUMP_SIGNAL_H
#define FT_DEBUG_LIBRARY_DUMP_SIGNAL_H

/* Installs the handler if the variable names a signal. Called once, by the constructor. */
void dump_signal_begin(void);

#endif
