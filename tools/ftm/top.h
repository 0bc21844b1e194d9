/*
 * `ftm top`: what one look at a process gives, and the panels that it fills. The screen is in
 * top_screen.c, the list of processes in top_list.c.
 */
#ifndef FTM_TOP_H
#define FTM_TOP_H

#include "panel.h"
#include "process_stat.h"
#include "view.h"

struct json;
struct source;
struct symbols;

enum top_panel { PANEL_SITES, PANEL_CLASSES, PANEL_ARENAS, PANEL_THREADS, TOP_PANELS };

/* Sums of a look, of which the next one takes the differences. */
struct top_figures {
    uint64_t time_ns; /* 0: there has been no look */
    uint64_t live, live_chunks;
    uint64_t allocations, allocated_bytes; /* 0 if no profile is on */
    struct process_stat process;
};

struct top {
    int pid;
    struct source *source;
    struct view *view;
    struct symbols *symbols;
    struct view_stats stats;
    struct top_figures now, before;
    bool has_sites;
    double truncated_percent;
    struct panel panels[TOP_PANELS];
    struct panel sites_before, threads_before; /* by name, for the rates */
};

/* Returns false after a line on stderr. */
bool top_open(struct top *top, int pid);
void top_close(struct top *top);

/* Looks at the process again. Returns false if it has ended, or cannot be read any more. */
bool top_look(struct top *top);

/* The lines above the panels. Each returns whether there is such a line. */
enum { TOP_LINES = 9, TOP_LINE = 200 };
bool top_line(const struct top *top, unsigned number, char line[TOP_LINE]);

/* One look as text, or as a JSON object. At most so many rows of each panel, 0 for all. */
void top_print(const struct top *top, struct out *out, size_t rows);
void top_json(const struct top *top, struct json *json, size_t rows);

/*
 * The full screen, for one process, or for all if pid is 0. Returns the exit status. Where ftm is
 * built without ncurses, it says so.
 */
int top_screen(int pid, double seconds);

/* The processes on the library, as a panel. */
struct top_list {
    struct panel panel, before;
    uint64_t time_ns;
};
void top_list_begin(struct top_list *list);
void top_list_look(struct top_list *list);
void top_list_end(struct top_list *list);

/* The panel's rows, by name, as they are now, to be compared with later ones. */
void panel_copy(struct panel *to, const struct panel *from);
/* The row with the same name and the same first number, or NULL. */
const struct row *panel_find(const struct panel *panel, const struct row *row);

uint64_t top_clock(void);

#endif
