/*
 * Asks a live process to set an option: base/control.h.
 */
#ifndef FTM_CONTROL_WRITE_H
#define FTM_CONTROL_WRITE_H

#include <stdbool.h>
#include <stdint.h>

struct view;

struct control_answer {
    int error;      /* 0, or why the process refused */
    char text[256]; /* the value of the option, or the reason in words */
};

/*
 * `option` is "NAME=VALUE", or "NAME" to ask. Waits up to `seconds` for the answer. Returns false
 * after a line on stderr if the process could not be asked, or did not answer.
 */
bool control_write(struct view *view, const char *option, uint64_t seconds,
                   struct control_answer *answer);

#endif
