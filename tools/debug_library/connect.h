/*
 * The connection with `ftm run`: see tools/ftm/run_protocol.h.
 */
#ifndef FT_DEBUG_LIBRARY_CONNECT_H
#define FT_DEBUG_LIBRARY_CONNECT_H

/* Tells ftm that the process has started. Called once, by the constructor. */
void connect_begin(void);

/* Called when the process ends in an orderly way. Waits until ftm has read it. */
void connect_end(void);

#endif
