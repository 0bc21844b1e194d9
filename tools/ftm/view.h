/*
 * The heap in a source: what ft_malloc_layout describes (debug/layout.h). Everything is read in
 * bulk and checked, because a source may be a process that goes on, or a file that somebody broke.
 *
 * Of a live process, each visit reads anew. A chunk that is live during the whole visit is visited;
 * one that is free during the whole visit is not. (The same promise, by the same means, as
 * debug/walk.h gives inside.)
 */
#ifndef FTM_VIEW_H
#define FTM_VIEW_H

#include "base/zone.h"
#include "debug/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source;
struct view;

enum { VIEW_NO_CLASS = 0xff };

/* A chunk. */
struct view_chunk {
    uint64_t start;
    uint64_t requested;
    uint64_t usable;
    uint64_t place; /* where its heap, its region of empty chunks, or its mapping begins */
    enum zone zone;
    unsigned size_class; /* VIEW_NO_CLASS for LARGE, empty and guarded chunks */
    unsigned arena;      /* its number; 0 for LARGE, empty and guarded chunks */
    unsigned state;      /* of TINY and SMALL: STATE_LIVE ... (bins/state.h); else 1 or 2 */
    bool guarded;        /* FT_MALLOC_GUARD put it against a page that nobody may touch */
};

/* What is at an address. */
enum view_verdict {
    VIEW_FOREIGN,  /* in no memory of the allocator */
    VIEW_NONE,     /* in a heap, but in no chunk that was ever handed out */
    VIEW_LIVE,     /* a live chunk starts there */
    VIEW_INTERIOR, /* inside of a live chunk */
    VIEW_FREED     /* a chunk that was freed starts there, and was not handed out since */
};

/* A heap. Bit maps have a bit for each unit: bins/heap.h says what they mean. */
struct view_heap {
    uint64_t base, end; /* end of its units */
    uint64_t size;      /* of its address space */
    enum zone zone;
    unsigned arena;
    unsigned units, first_unit; /* all, and those of the header */
    uint64_t number;
    unsigned bitmap_words;
    const uint64_t *vacant, *dirty, *aged, *lost, *reserved, *guards;
};

/* A slab, and the states of its chunks. */
struct view_slab {
    const struct view_heap *heap;
    uint64_t start;
    unsigned unit, units;
    unsigned size_class, chunk_size, chunks;
    /* Counts that add up to `chunks`. */
    unsigned live;
    unsigned vacant;    /* in the slab, to be taken */
    unsigned cached;    /* in a thread's stack, or on the way to its arena */
    uint64_t requested; /* by the live chunks */
    /* chunks of them, each a kind: STATE_NONE, STATE_LIVE, STATE_FREE, STATE_REMOTE */
    const uint8_t *kinds;
    /* bit i: chunk i is in the slab, to be taken */
    const uint64_t *vacant_bits;
};

/* A LARGE mapping. */
struct view_large {
    uint64_t start;
    uint64_t requested; /* of a cached one: the size before it was freed */
    uint64_t mapped, reserved;
    bool live; /* false: it waits in the cache to be used again */
    bool guarded, vacated;
};

/* An arena. */
struct view_arena {
    uint64_t address;
    unsigned id;
    unsigned caches, caches_in_use;
    uint64_t inbox_bytes;
};

/* The sums of ft_malloc_stats(). */
struct view_stats {
    struct {
        uint64_t heaps, chunks, requested, usable, slabs, vacant, mapped;
    } zone[ZONES];
    uint64_t arenas;
    uint64_t cached; /* bytes in freed LARGE mappings */
};

/*
 * Finds ft_malloc_layout and checks it. Returns NULL after one line on stderr.
 */
struct view *view_open(struct source *source);
void view_close(struct view *view);

struct source *view_source(struct view *view);

/* The layout as this version of ftm understands it: members that the library lacks are 0. */
const struct ft_malloc_layout *view_layout(const struct view *view);

/* Where the layout is in the process. */
uint64_t view_layout_address(const struct view *view);

/* True if the process is hardened (FT_MALLOC_HARDEN=1). */
bool view_hardened(const struct view *view);

/* Returns 0 beyond the last class. */
unsigned view_class_size(const struct view *view, unsigned size_class);

/*
 * Visits. Each calls `visit` in the order of addresses (arenas: newest first) until it returns
 * another value than 0, and returns that value; 0 at the end; VIEW_ERROR after a line on stderr if
 * there is no memory, or if records are broken that all others hang on.
 */
enum { VIEW_ERROR = -2 };

int view_each_chunk(struct view *view, int (*visit)(void *context, const struct view_chunk *chunk),
                    void *context);
int view_each_arena(struct view *view, int (*visit)(void *context, const struct view_arena *arena),
                    void *context);
int view_each_large(struct view *view, int (*visit)(void *context, const struct view_large *large),
                    void *context);

/* The guarded chunks alone, live ones, which are among those of view_each_chunk(), too. */
int view_each_guarded(struct view *view,
                      int (*visit)(void *context, const struct view_chunk *chunk), void *context);

/* The address space that guarded chunks are in. Returns false if there is none. */
bool view_guard_space(struct view *view, uint64_t *base, uint64_t *size);

/* `visit_heap` comes before the slabs of the heap. Either may be NULL. */
int view_each_slab(struct view *view, int (*visit_heap)(void *, const struct view_heap *heap),
                   int (*visit_slab)(void *, const struct view_slab *slab), void *context);

/*
 * How many heaps and tables could not be read in the last visit although they seemed to be there:
 * 0, unless a file is not complete.
 */
size_t view_unread(const struct view *view);

/*
 * Describes the chunk at or around the address: a live one, or one that was freed. For another
 * verdict, only chunk->place is set, if the address is in a heap.
 */
enum view_verdict view_find(struct view *view, uint64_t address, struct view_chunk *chunk);

/* Calls `visit` for the slab around the address. Returns false if there is none. */
bool view_slab_at(struct view *view, uint64_t address,
                  void (*visit)(void *context, const struct view_slab *slab), void *context);

/* Returns false after a line on stderr, like the visits. */
bool view_stats(struct view *view, struct view_stats *stats);

#endif
