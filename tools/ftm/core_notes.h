/*
 * What the notes of a core file say: threads, files, the command.
 */
#ifndef FTM_CORE_NOTES_H
#define FTM_CORE_NOTES_H

#include "source.h"

/* A file that was mapped. */
struct core_file {
    uint64_t start, end;
    uint64_t offset; /* in the file */
    const char *path;
};

struct core_thread {
    pid_t tid;
    uint64_t sp, pc;
    const unsigned char *registers; /* `count` of 64 bits, not aligned */
    unsigned count;
};

struct core_notes {
    struct core_file *files; /* sorted */
    size_t file_count;
    struct core_thread *threads;
    size_t thread_count;
    pid_t pid;
    char name[16];
    char command[81];
};

/*
 * Adds what a segment of notes says. The bytes have to stay where they are. `machine` is EM_X86_64
 * or EM_AARCH64. Returns false if there is no memory.
 */
bool core_notes_add(struct core_notes *notes, const unsigned char *bytes, size_t size,
                    unsigned machine);
void core_notes_end(struct core_notes *notes);

#endif
