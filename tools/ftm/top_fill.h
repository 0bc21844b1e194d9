/*
 * Fills the panels of `ftm top`.
 */
#ifndef FTM_TOP_FILL_H
#define FTM_TOP_FILL_H

struct sites;
struct top;

/* Gives the panels their columns. */
void top_fill_begin(struct top *top);

/* Fills them after a look. `sites` is NULL if no mode knows who allocates. */
void top_fill(struct top *top, const struct sites *sites);

#endif
