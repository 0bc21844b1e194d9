/*
 * The parts of the view: for view.c and view_*.c alone.
 */
#ifndef FTM_VIEW_PRIVATE_H
#define FTM_VIEW_PRIVATE_H

#include "source.h"
#include "view.h"

/* A size class. The numbers were checked: a slab's chunks fit in it. */
struct view_class {
    unsigned size, chunks, units;
};

struct view {
    struct source *source;
    struct ft_malloc_layout layout;
    uint64_t layout_address;
    bool hardened;
    struct view_class *classes;
    size_t unread;
};

/*
 * A growing array. array_add() returns room for one more item, or NULL if there is no memory, and
 * then `failed` is set. array_end() frees it.
 */
struct array {
    char *items;
    size_t item_size, count, room;
    bool failed;
};

void *array_add(struct array *array);
void array_end(struct array *array);

/* Says that there is no memory. Returns VIEW_ERROR. */
int view_no_memory(void);

/* The address that a pointer of the layout holds. */
static inline uint64_t root_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

/* Read members of a record that was read as bytes. */
uint16_t get16(const void *record, uint32_t offset);
uint32_t get32(const void *record, uint32_t offset);
uint64_t get64(const void *record, uint32_t offset);

/* Reads a pointer, or anything else of 64 bits. */
static inline bool read64(struct view *view, uint64_t address, uint64_t *value)
{
    return source_read(view->source, address, value, sizeof *value);
}

/*
 * Guards a walk along a list that may be a circle: call it with each item. Returns false if it was
 * there before.
 */
struct list_walk {
    uint64_t mark;
    size_t steps, limit;
};
bool list_goes_on(struct list_walk *walk, uint64_t item);

static inline const struct layout_zone *layout_zone(const struct view *view, enum zone zone)
{
    return zone == ZONE_SMALL ? &view->layout.small : &view->layout.tiny;
}

/* A heap by the heap map. */
struct mapped_heap {
    uint64_t base;
    uint16_t tag;
};

/* Adds all heaps to an array of these, in the order of addresses. Returns 0 or VIEW_ERROR. */
int view_list_heaps(struct view *view, struct array *heaps);

/* The entry of the heap map for an address; 0 if no heap is there. */
uint32_t view_map_entry(struct view *view, uint64_t address);

static inline enum zone tag_zone(const struct view *view, uint16_t tag)
{
    return (tag & view->layout.map_tag_small) != 0 ? ZONE_SMALL : ZONE_TINY;
}

/* A slab of a heap_copy. */
struct slab_copy {
    uint32_t unit;
    uint32_t record; /* offset in the heap */
    uint64_t identity;
    unsigned size_class;
};

/*
 * What was read of a heap: its header, with the states of all slabs in `slabs`, each of which
 * existed while its states were read.
 */
struct heap_copy {
    struct view *view;
    struct view_heap heap;
    const struct layout_zone *zone;
    unsigned char *header; /* zone->first_unit * unit_size bytes, as they are from `base` on */
    size_t header_size;
    struct array slabs; /* of struct slab_copy, in the order of addresses */
    uint8_t *kinds;     /* room for the states of one slab */
    uint64_t *bitmaps;
};

/* Returns false if there is no memory. heap_copy_end() in any case. */
bool heap_copy_begin(struct heap_copy *copy, struct view *view);
void heap_copy_end(struct heap_copy *copy);

/*
 * Reads a heap. Returns false if it is not there any more; what seems to be there and is unreadable
 * or broken is counted in view->unread.
 */
bool heap_copy_read(struct heap_copy *copy, const struct mapped_heap *at);

/* The state of the chunk, and what it says: the kind and the requested size. */
uint32_t heap_copy_state(const struct heap_copy *copy, uint64_t address);
unsigned view_state_kind(const struct layout_zone *zone, uint32_t state);
uint64_t view_state_requested(const struct view *view, enum zone zone, uint32_t state,
                              unsigned size);

/* Describes the slab; `kinds` is overwritten by the next call. */
void heap_copy_slab(struct heap_copy *copy, const struct slab_copy *slab, struct view_slab *out);

/* Calls `visit` for the live chunks of the heap. */
int heap_copy_each_chunk(const struct heap_copy *copy,
                         int (*visit)(void *context, const struct view_chunk *chunk),
                         void *context);

/* Adds all LARGE mappings to an array of struct view_large, sorted. Returns 0 or VIEW_ERROR. */
int view_list_large(struct view *view, struct array *large);

/* The pool of guarded chunks. */
struct guard_slots {
    uint64_t base;  /* of the address space */
    uint64_t first; /* address of the first slot's record */
    uint64_t count;
};

/* Returns false if there is none. */
bool view_guard_pool(struct view *view, struct guard_slots *slots);

/* Adds all live guarded chunks to an array of struct view_chunk. Returns 0 or VIEW_ERROR. */
int view_list_guarded(struct view *view, struct array *chunks);

/* Like view_find(); VIEW_FOREIGN outside of the pool. */
enum view_verdict view_find_guarded(struct view *view, uint64_t address, struct view_chunk *chunk);

/* A region of empty chunks, and the bits of those that are live and that ever were. */
struct view_region {
    uint64_t base, places;
    uint64_t live, was; /* addresses of the bit maps */
};

/* Adds all regions to an array of struct view_region. Returns 0 or VIEW_ERROR. */
int view_list_regions(struct view *view, struct array *regions);

int view_each_empty(struct view *view, const struct view_region *region,
                    int (*visit)(void *context, const struct view_chunk *chunk), void *context);

/* Bit `place` of a bit map at an address. */
bool view_bit(struct view *view, uint64_t bits, uint64_t place);

#endif
