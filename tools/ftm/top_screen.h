/*
 * The full screen of `ftm top`: what it shows (top_draw.c) and what keys do (top_keys.c).
 */
#ifndef FTM_TOP_SCREEN_H
#define FTM_TOP_SCREEN_H

#include "top.h"

#include <ncurses.h>

enum { SCREEN_TEXT = 128, SCREEN_NAME = 512, SCREEN_HEADER = 10, ESCAPE = 27 };
enum { PAIR_HEADER = 1, PAIR_SELECTED, PAIR_BAR, PAIR_HIGH };

enum prompt { PROMPT_NONE, PROMPT_SEARCH, PROMPT_FILTER };

struct screen {
    struct top top;
    struct top_list list;
    bool listing; /* shows the processes; else top's panels */
    bool from_list;
    int which; /* the panel */
    unsigned sort[TOP_PANELS];
    bool ascending[TOP_PANELS];
    size_t selected, first; /* rows of those that match */
    char filter[SCREEN_TEXT], search[SCREEN_TEXT];
    enum prompt prompt;
    bool paused, helping, done;
    const char *message;
    double seconds;
    uint64_t next_look;
};

/* The panel that is shown. */
struct panel *screen_panel(struct screen *screen);

/* The row with that number among those that the filter lets through, or NULL. */
const struct row *screen_row(struct screen *screen, size_t number);

/* How many rows the filter lets through. */
size_t screen_rows(struct screen *screen);

void screen_draw(struct screen *screen);
void screen_press(struct screen *screen, int key);
void screen_look(struct screen *screen);

#endif
