/*
 * The conversions of a scanf() format, one after the other.
 */
#ifndef FT_DEBUG_LIBRARY_SCAN_FORMAT_H
#define FT_DEBUG_LIBRARY_SCAN_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

enum scan_kind {
    SCAN_VALUE, /* a number, or a pointer: `size` bytes */
    SCAN_COUNT, /* %n: as SCAN_VALUE, but it is not counted */
    SCAN_TEXT,  /* %s or %[: up to `width` units of `size` bytes, and a zero */
    SCAN_UNITS  /* %c: up to `width` units, without a zero */
};

struct scan_conversion {
    enum scan_kind kind;
    size_t size;
    size_t width;         /* SIZE_MAX if there is none */
    unsigned position;    /* 1 for the argument that it names as %1$; 0 if it names none */
    bool suppressed;      /* it stores nothing */
    const char *modifier; /* where an m would stand: behind the width */
};

/*
 * Finds the next conversion and moves *format behind it. Returns 0 if there is none, -1 if there is
 * one that this code does not know, and 1 otherwise. `old` says that %as means what %ms means, as
 * before C99.
 */
int scan_next(const char **format, bool old, struct scan_conversion *found);

#endif
