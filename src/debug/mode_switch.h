/*
 * Switches modes and sets options while the process runs: for ft_malloc_set(), and for other
 * processes (base/control.h).
 *
 * A mode is begun before it is switched on, so who sees its bit in modes_on finds its tables. It
 * keeps them when it is switched off, because other threads may be in the middle of calls that it
 * watches.
 */
#ifndef FT_DEBUG_MODE_SWITCH_H
#define FT_DEBUG_MODE_SWITCH_H

#include "base/modes.h"
#include "base/text.h"

/*
 * Sets an option, by its name with or without FT_MALLOC_, to a value as in the environment. Returns
 * 0, or an errno after writing the reason to `why`: EINVAL if the name or the value is not known,
 * EPERM if the option cannot be changed while the process runs, ENOMEM if there is no memory for
 * the mode, which is off then. The caller holds no lock.
 */
int mode_set(const char *name, const char *value, struct text *why);

/*
 * Writes the value of an option to `value`: what it was last set to, or its default. Returns 0, or
 * EINVAL. The name "error" stands for the reason of the last refusal, an empty text if there was
 * none.
 */
int mode_get(const char *name, struct text *value);

/*
 * Begins the modes that the environment asked for, if that has not been done. Called by the first
 * calls that see MODES_WAIT, before they do anything else.
 */
void mode_begin_waiting(void);

/* Answers a request of another process, if there is one. The caller holds no lock. */
void mode_serve(void);

#endif
