/*
 * Whether words of a program are addresses of C++ tables of virtual functions. Few tables are asked
 * for very often, and very many words that are none lie in the same mappings.
 */
#ifndef FTM_VTABLES_H
#define FTM_VTABLES_H

#include <stdbool.h>
#include <stdint.h>

struct source;

/* A zeroed one is ready for use, with one source. */
enum { VTABLES_KNOWN = 1024 };
struct vtables {
    /* Addresses plus 1 if they are tables; likewise if they are none. */
    uint64_t known[VTABLES_KNOWN], refuted[VTABLES_KNOWN];
    /* Addresses without tables that were asked for last: small numbers, and others. */
    struct {
        uint64_t start, end;
    } gaps[2];
};

bool vtables_have(struct vtables *vtables, struct source *source, uint64_t address);

#endif
