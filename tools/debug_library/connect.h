/*
 * The connection with `ftm run`: see tools/ftm/run_protocol.h.
 */
#ifndef FT_DEBUG_LIBRARY_CONNECT_H
#define FT_DEBUG_LIBRARY_CONNECT_H

#include <stdint.h>

/* Tells ftm that the process has started. Called once, by the constructor. */
void connect_begin(void);

/* Notes the chunk that a report was about; a process that crashes tells it. */
void connect_note_chunk(uintptr_t chunk);

/* Called in the handler of a signal that is about to end the process. Waits like the next one. */
void connect_crash(void);

/* Called when the process ends in an orderly way. Waits until ftm has read it. */
void connect_end(void);

#endif
