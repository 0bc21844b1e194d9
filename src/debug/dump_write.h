/*
 * Writes a snapshot section by section (debug/snapshot.h).
 */
#ifndef FT_DEBUG_DUMP_WRITE_H
#define FT_DEBUG_DUMP_WRITE_H

#include "debug/snapshot.h"

#include <stddef.h>

struct dump {
    int fd;
    int error; /* what write() failed with, or 0; nothing more is written then */
    uint64_t sections, sum;
};

void dump_begin(struct dump *dump, int fd, const struct snapshot_header *header);

/* Writes END. Returns 0 or the error number. */
int dump_end(struct dump *dump);

/* Writes a section with its payload, which nobody unmaps meanwhile. */
void dump_section(struct dump *dump, uint32_t type, uint64_t address, const void *payload,
                  size_t length);

/*
 * Writes memory that belongs at the address: `copy` is that memory itself, if nobody unmaps it
 * meanwhile, or a copy. Pages of zeros become sections without payload.
 */
void dump_known(struct dump *dump, uint64_t address, const void *copy, size_t length);

/* Writes memory that other threads may unmap meanwhile. What is not readable is marked as void. */
void dump_live(struct dump *dump, uint64_t address, size_t length);

#endif
