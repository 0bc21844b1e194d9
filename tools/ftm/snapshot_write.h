/*
 * Writes a snapshot of a source from outside: docs/SNAPSHOT.md. It carries everything that it takes
 * to open it on another machine: the library's records and the modes' tables, the mappings, the
 * threads, the command line, and the symbols of all addresses in the tables.
 */
#ifndef FTM_SNAPSHOT_WRITE_H
#define FTM_SNAPSHOT_WRITE_H

#include <stdbool.h>
#include <stdint.h>

struct view;

struct snapshot_written {
    uint64_t sections, bytes;
};

enum {
    SNAPSHOT_WITH_CONTENTS = 1, /* with all memory that the process can write to */
    SNAPSHOT_PLAIN = 2          /* not compressed */
};

/*
 * Writes to a new file beside `path`, and renames it when it is complete. `how` is of the flags
 * above. Returns false, after a line on stderr, if the file cannot be written.
 */
bool snapshot_write(struct view *view, const char *path, unsigned how,
                    struct snapshot_written *written);

#endif
