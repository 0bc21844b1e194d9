/*
 * Signals that this library handles before the program does. sigaction() and signal() are defined
 * here: for such a signal they keep what the program wants, and return what it wanted before. So
 * the program notices nothing.
 */
#ifndef FT_DEBUG_LIBRARY_SIGNALS_H
#define FT_DEBUG_LIBRARY_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

typedef void signal_handler(int number, siginfo_t *info, void *context);

/* Installs the handler. Called once for a signal, by the constructor. */
void signals_take(int number, signal_handler *handler);

/*
 * Called at the end of the handler: does what the program wants with the signal. If it wants the
 * default action of a fault, the instruction is executed once more, and ends the process.
 */
void signals_pass_on(int number, siginfo_t *info, void *context);

/* Returns whether the program has a handler for a signal that was taken. */
bool signals_are_handled(int number);

#endif
