/*
 * Where memory of a process is read from: the live process, a core file, or a snapshot. A live
 * process is not stopped, so what is read in two calls may be of different moments.
 */
#ifndef FTM_SOURCE_H
#define FTM_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct source;

enum source_kind { SOURCE_LIVE, SOURCE_CORE, SOURCE_SNAPSHOT };

enum { MAP_READ = 1, MAP_WRITE = 2, MAP_EXECUTE = 4, MAP_SHARED_WITH_OTHERS = 8 };

/* A mapping. Sorted by address, and none overlaps another. */
struct source_map {
    uint64_t start, end;
    uint64_t offset; /* in the file */
    unsigned flags;
    const char *path; /* as in /proc/PID/maps: "" if anonymous, "[stack]" and the like */
};

/*
 * A thread. `sp` and `pc` are 0 if they are not known, as for a thread of a live process that is
 * running. The registers are all that the source knows, in the order of the kernel's
 * NT_PRSTATUS; none for a live process, whose registers nobody can read without stopping it.
 */
struct source_thread {
    pid_t tid;
    char name[16];
    uint64_t sp, pc;
    const uint64_t *registers;
    unsigned register_count;
};

/*
 * Opens a process by its number, or a file by its path ("./123" if it is all digits). Returns NULL
 * after one line on stderr that says what is wrong and what can be done.
 */
struct source *source_open(const char *name);
void source_close(struct source *source);

/* Opens a process, or returns NULL and says nothing; *error is what the kernel said, or 0. */
struct source *source_open_quietly(pid_t pid, int *error);

enum source_kind source_kind(const struct source *source);

/* 0 if it is not known. */
pid_t source_pid(const struct source *source);

/* Where ft_malloc_layout is, if the source says so; else 0. */
uint64_t source_layout(const struct source *source);

/*
 * The time on the library's clock, in nanoseconds: now, or when a snapshot was written. 0 if it is
 * not known, as of a core file.
 */
uint64_t source_clock(const struct source *source);

/* What it was opened by, for messages. */
const char *source_name(const struct source *source);

/* The command line, arguments separated by spaces; "" if it is not known. */
const char *source_command(struct source *source);

/* Reads memory: all or nothing. */
bool source_read(struct source *source, uint64_t address, void *out, size_t size);

/* Reads as much as there is from the address on. Returns how many bytes it read. */
size_t source_read_some(struct source *source, uint64_t address, void *out, size_t size);

/* The mappings, read at the first call. A snapshot may have none: *count is 0 then. */
const struct source_map *source_maps(struct source *source, size_t *count);

/* The mapping that the address is in, or NULL. */
const struct source_map *source_map_at(struct source *source, uint64_t address);

/*
 * Calls `visit` for each thread until it returns another value than 0. Returns that value, or 0.
 */
int source_each_thread(struct source *source,
                       int (*visit)(void *context, const struct source_thread *thread),
                       void *context);

/*
 * The sections of a snapshot of this type (debug/snapshot.h), one after the other: begin with
 * *place 0. Stores the payload, which lives as long as the source, and returns true; returns false
 * at the end, and for sources that are no snapshots.
 */
bool source_section(struct source *source, unsigned type, size_t *place, const void **payload,
                    size_t *size);

#endif
