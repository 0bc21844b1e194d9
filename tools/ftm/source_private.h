/*
 * What the kinds of sources have in common: for source.c and source_*.c alone.
 */
#ifndef FTM_SOURCE_PRIVATE_H
#define FTM_SOURCE_PRIVATE_H

#include "source.h"

struct source_kind_functions {
    enum source_kind kind;
    /* As for source_read_some(); the range does not wrap around. */
    size_t (*read_some)(struct source *source, uint64_t address, void *out, size_t size);
    /* Adds the mappings by source_add_map(), in any order. */
    void (*load_maps)(struct source *source);
    int (*each_thread)(struct source *source,
                       int (*visit)(void *context, const struct source_thread *thread),
                       void *context);
    /* NULL: it has no sections. */
    bool (*section)(struct source *source, unsigned type, size_t *place, const void **payload,
                    size_t *size);
    /* Frees what is behind the common part. */
    void (*close)(struct source *source);
};

/* The first member of each kind's own structure. */
struct source {
    const struct source_kind_functions *functions;
    pid_t pid;
    uint64_t clock;  /* the library's clock when a snapshot was written; 0: not known */
    uint64_t layout; /* where a snapshot says that ft_malloc_layout is */
    char *name;
    char *command; /* set when it is opened; NULL: not known */
    bool maps_loaded;
    struct source_map *maps;
    size_t map_count;
};

/* Adds a mapping, whose path is copied. Without memory, or if it is empty, it is left out. */
void source_add_map(struct source *source, const struct source_map *map);

/* Adds each line of text in the form of /proc/PID/maps. Lines in another form are left out. */
void source_parse_maps(struct source *source, const char *text, size_t size);

/* Copies text of `size` bytes as a command line: a 0 between two arguments becomes a space. */
char *source_command_of(const char *text, size_t size);

/*
 * Each opens one kind. The first returns NULL with *error set and says nothing; the other two say
 * what is wrong. The path is for messages. The descriptor is closed with the source.
 */
struct source *source_open_live(pid_t pid, int *error);
struct source *source_open_core(int fd, const char *path);
struct source *source_open_snapshot(int fd, const char *path);

/*
 * Says in one line why the kernel refuses to let us read the process's memory, and what can be
 * done. `error` is what it said.
 */
void source_say_refused(pid_t pid, int error);

/*
 * Reads a file of /proc as a whole, and puts a 0 behind it. Returns NULL with errno set. The caller
 * frees it.
 */
char *source_slurp(const char *path, size_t *size);

#endif
