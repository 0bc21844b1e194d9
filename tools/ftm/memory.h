/*
 * Memory for ftm. A command cannot go on without it, so these end the program with a line on stderr
 * if there is none. Counts from files must have been compared with the size of the file before.
 */
#ifndef FTM_MEMORY_H
#define FTM_MEMORY_H

#include <stddef.h>

/* Zero-filled room for so many items; free() ends it. */
void *memory_new(size_t count, size_t item_size);

/*
 * Makes room for one more item behind the count that items has; *room is what it has room for.
 * Returns items, or the array that takes its place.
 */
void *memory_grow(void *items, size_t *room, size_t count, size_t item_size);

/* A copy of length bytes, with a zero behind them. */
char *memory_text(const char *text, size_t length);

/* Returns the text that asprintf() would write. The caller frees it. */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Strings that are kept once each until names_free(). */
struct names;
struct names *names_new(void);
const char *names_keep(struct names *names, const char *text, size_t length);
void names_free(struct names *names);

#endif
