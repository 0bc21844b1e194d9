/*
 * Where a program may keep pointers that no chunk has: its writable mappings, the stacks of its
 * threads from the stack pointer up, and registers. Everything that is the allocator's is left out.
 */
#ifndef FTM_ROOTS_H
#define FTM_ROOTS_H

#include "ranges.h"

struct mark;
struct source;
struct source_thread;
struct territory;

struct roots {
    struct ranges ranges;
    /* Words that registers hold, and the stack pointers among them. */
    uint64_t *words;
    size_t word_count, word_room;
    uint64_t *pointers;
    size_t pointer_count, pointer_room;
    unsigned threads;
    /* Threads whose stack pointer is not known, so that their whole stacks are roots; likewise. */
    unsigned whole_stacks, no_registers;
};

/*
 * `each_thread` is source_each_thread(), or another one that knows more, such as stop_each() of
 * stop.h. Returns false after a line on stderr if the source does not tell its mappings.
 */
typedef int each_thread(void *from, int (*visit)(void *context, const struct source_thread *thread),
                        void *context);
bool roots_find(struct source *source, const struct territory *territory, each_thread *each,
                void *from, struct roots *roots);

/* Marks from all of them. Returns false without memory. */
bool roots_mark(const struct roots *roots, struct mark *mark);

void roots_free(struct roots *roots);

#endif
