/*
 * Which chunks can a program still reach? The caller gives the live chunks and the roots; marking
 * follows the pointers from the roots through the chunks, and then among the chunks that were not
 * reached. The rules are those of Valgrind's memcheck, so that the words mean the same:
 *
 *   reachable   a pointer to the chunk's first byte leads to it from a root
 *   possible    only pointers into the middle of it, or of a chunk on the way to it, do
 *   indirect    only chunks that are lost point to it
 *   lost        nothing points to it; of chunks in a ring, the one with the lowest address
 *
 * A pointer is a word at a multiple of its size. Memory is read by a callback, so that the same
 * code serves a process, a file and a test: each chunk once, in the order of addresses, through a
 * buffer. Of what was read, only the pointers to chunks that are not yet reachable are kept
 * (links.h). One thread uses a struct mark at a time.
 *
 * The order of calls: mark_open(), mark_known(), mark_scan(), mark_suppress(), mark_finish(). Roots
 * may come before mark_scan(), after it, or both. It is called once, always.
 */
#ifndef FTM_MARK_H
#define FTM_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mark_chunk {
    uint64_t start;
    uint64_t size; /* as requested; a pointer to start + size is outside, unless the size is 0 */
};

/* The order matters: a chunk only ever moves to a kind that is further down. */
enum mark_kind { MARK_LOST, MARK_INDIRECT, MARK_SUPPRESSED, MARK_POSSIBLE, MARK_REACHABLE };
enum { MARK_KINDS = MARK_REACHABLE + 1 };

/* Which pointers into the middle of a chunk count as pointers to its start: see heuristic.h. */
enum {
    MARK_STDSTRING = 1,
    MARK_LENGTH64 = 2,
    MARK_NEWARRAY = 4,
    MARK_MULTIPLE_INHERITANCE = 8,
    MARK_DTV = 16,
    MARK_HEURISTICS = 31
};

struct mark_memory {
    /* Reads as much as there is from the address on. Returns how many bytes that is. */
    size_t (*read)(void *context, uint64_t address, void *out, size_t size);
    /* Returns whether a C++ table of virtual functions may begin there. */
    bool (*is_vtable)(void *context, uint64_t address);
    /* Told how many bytes were read so far; may be NULL. */
    void (*progress)(void *context, uint64_t bytes);
    void *context;
};

struct mark;

/*
 * The chunks are sorted by address, do not overlap, and start at multiples of 16. The array has to
 * outlive the result. `heuristics` is a sum of MARK_... Returns NULL and sets errno: to EINVAL if
 * the chunks break these rules, or to ENOMEM.
 */
struct mark *mark_open(const struct mark_chunk *chunks, size_t count,
                       const struct mark_memory *memory, unsigned heuristics);
void mark_close(struct mark *mark);

/*
 * Marks all that the words in a range, or these words, lead to. Returns false without memory, as
 * the functions below do.
 */
bool mark_root(struct mark *mark, uint64_t start, uint64_t end);
bool mark_words(struct mark *mark, const uint64_t *words, size_t count);

/* Says that a chunk is reachable. */
void mark_known(struct mark *mark, size_t index);

/* Looks at the words of all chunks. What the roots lead to is complete after this. */
bool mark_scan(struct mark *mark);

/* Marks a chunk as if a root pointed into the middle of it. Called after mark_scan(). */
bool mark_possible(struct mark *mark, size_t index);

/* Marks the chunk around the address as if a root pointed to its start. */
bool mark_around(struct mark *mark, uint64_t address);

/*
 * Marks a chunk as suppressed, and so all that only it leads to; nothing of it is lost. Does
 * nothing if the chunk is reachable. Called after all roots.
 */
bool mark_suppress(struct mark *mark, size_t index);

/* Called last: tells lost chunks from those that other lost chunks lead to. */
bool mark_finish(struct mark *mark);

enum mark_kind mark_kind(const struct mark *mark, size_t index);

/* Returns the lost chunk that leads to an indirectly lost one; any other chunk leads to itself. */
size_t mark_leader(struct mark *mark, size_t index);

/*
 * Returns the index of the chunk that contains the address, or `count` of mark_open() if there is
 * none.
 */
size_t mark_find(const struct mark *mark, uint64_t address);

#endif
