/*
 * What the command lines of several commands have in common.
 */
#ifndef FTM_OPTIONS_H
#define FTM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct source;
struct view;

/* A source and the heap in it. */
struct target {
    struct source *source;
    struct view *view;
};

/* Returns false after a line on stderr. */
bool target_open(const char *name, struct target *target);
void target_close(struct target *target);

/* After a visit: says on stderr that an answer is not complete, if that is so. */
void warn_unread(struct view *view);

/* Each returns false if the text is no such thing; *value is then undefined. */
bool parse_number(const char *text, uint64_t *value);
bool parse_size(const char *text, uint64_t *value);    /* 10, 4K, 2M, 1G, 1T; also 4KiB */
bool parse_address(const char *text, uint64_t *value); /* hexadecimal, 0x or not */
bool parse_address_until(const char *text, const char *end, uint64_t *value);

#endif
