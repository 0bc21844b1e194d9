/*
 * What mark.c, which follows links, and mark_scan.c, which finds them, have in common.
 */
#ifndef FTM_MARK_OWN_H
#define FTM_MARK_OWN_H

#include "chunk_index.h"
#include "links.h"
#include "mark.h"

enum { MARK_WORD = 8 };
#define MARK_NOBODY UINT32_MAX

/* With the hints about a chunk (heuristic.h): its words have been looked at. */
enum { MARK_SEEN = 32 };

/* A part of the memory that was read. */
struct mark_buffer {
    uint64_t from, words;
    uint64_t word[1 << 17];
};

struct mark {
    const struct mark_chunk *chunks;
    size_t count;
    struct mark_memory memory;
    unsigned heuristics;
    struct chunk_index *index;
    struct links links;
    struct mark_buffer *buffer;
    uint8_t *kinds, *hints;
    /* Of chunks that are lost or indirectly lost: 1 + the chunk that leads to them; else 0. */
    uint32_t *leaders;
    /* Chunks whose links have still to be followed; before mark_scan(), large ones to look at. */
    uint32_t *stack;
    size_t depth, room;
    /* Words of roots that point into chunks, for after mark_scan(), when hints are known. */
    uint64_t *inside;
    size_t inside_count, inside_room;
    enum { MARK_BEFORE, MARK_DURING, MARK_AFTER } phase;
    size_t at;           /* during mark_scan(): the chunk that is looked at */
    uint64_t read, skip; /* bytes read so far, and missing in a row */
    /* Set when there was no memory for the stack. */
    bool failed;
    /* The lost chunk whose flood this is, in mark_finish(). */
    uint32_t leader;
};

void mark_push(struct mark *mark, size_t number);

/* A root has this word; the second one is for the time before mark_scan(). */
void mark_found(struct mark *mark, uint64_t word);
void mark_found_early(struct mark *mark, uint64_t word);

/* Returns the number of the chunk that the word points to, `count` if there is none. */
size_t mark_pointed_to(const struct mark *mark, uint64_t word, bool *start);

/* Look at the words of a range, or of the large chunks on the stack. False: there is no memory. */
bool mark_scan_root(struct mark *mark, uint64_t start, uint64_t end);
bool mark_scan_large(struct mark *mark);

/* Follows the links of the chunks on the stack, by the rule for what roots lead to. */
bool mark_flood_reach(struct mark *mark);

#endif
