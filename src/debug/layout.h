/*
 * ft_malloc_layout: an exported constant that describes the library's records to programs that read
 * them from outside: from a live process, a core file or a snapshot (tools/ftm, docs/SNAPSHOT.md).
 * Such a reader takes every address and offset from here, so that it reads other versions of the
 * library, too.
 *
 * It is found by its name among the dynamic symbols; or, where there are none, by its first two
 * members: nothing else has the magic bytes and its own address behind them.
 *
 * Members are never moved and never change their meaning; new ones are appended at the end. A
 * reader looks at `size`, and takes members beyond it for 0. `version` changes only if that rule
 * has to be broken, and then a reader that does not know the new one refuses. What a member has the
 * address of is also in debug/dump_roots.c, so that snapshots have it.
 *
 * Offsets and sizes are in bytes. All structures may change at any time, in the hands of several
 * threads; what a reader may believe is said where they are declared.
 */
#ifndef FT_DEBUG_LAYOUT_H
#define FT_DEBUG_LAYOUT_H

#include <stdint.h>

#define LAYOUT_MAGIC "ft_malloc layout"
enum { LAYOUT_MAGIC_SIZE = 16, LAYOUT_VERSION = 1 };

/* The heaps of a zone, TINY or SMALL: see bins/heap.h. */
struct layout_zone {
    uint32_t heap_size; /* heaps begin at multiples of it, and may be smaller */
    uint32_t header;    /* of struct heap in the heap */
    uint32_t first_unit;
    /* Of the first slab's record in the heap; from one to the next; and how many there may be. */
    uint32_t slabs, slab_stride, slab_count;
    /*
     * SMALL: where in the heap the numbers of the slabs end, 16 bits for each unit, the last one
     * first; a number is that of the record plus 1. TINY: 0; the number of the record is that of
     * the slab's first unit.
     */
    uint32_t numbers_end;
    /*
     * TINY: bytes that tell the class plus `class_mark` of each unit, also when its slab is gone,
     * at this offset, by the address in units modulo a power of two. SMALL: 0.
     */
    uint32_t unit_classes, unit_classes_count, class_mark;
    /*
     * The heap begins with its states: one of `state_size` bytes for each `granule` bytes of the
     * heap. `kind_shift`, `place_shift` and so on say where in it are which bits; place and class
     * are 0 for TINY. Place is in units of `chunk_align`.
     */
    uint32_t granule, state_size;
    uint32_t kind_shift, place_shift, place_mask, class_shift, class_mask, slack_mask;
};

struct ft_malloc_layout {
    char magic[LAYOUT_MAGIC_SIZE]; /* no 0 at the end */
    const void *self;
    uint32_t version;
    uint32_t size;
    char library[16]; /* such as "1.1.0" */

    struct layout_zone tiny, small;
    uint32_t chunk_align, unit_size;
    /* The kinds of states: NONE, LIVE, FREE, REMOTE. */
    uint32_t state_none, state_live, state_free, state_remote;
    /* bool: a TINY chunk always has slack, so slack 0 stands for slack_mask + 1. */
    const void *hardened;

    const void *size_classes;
    uint32_t class_count, tiny_classes, class_stride;
    uint32_t class_size;   /* 32 bits */
    uint32_t class_chunks; /* 16 bits */
    uint32_t class_units;  /* 16 bits */

    /* bins/heap_map.h: all heaps by address. */
    const void *heap_map;
    uint32_t map_empty, map_root;
    uint32_t map_root_count; /* 64 bits each: the distance of a leaf from the empty one */
    uint32_t map_leaf_count; /* 32 bits each: a tag, and the number of units */
    uint32_t map_shift;      /* an entry of a leaf stands for 2^map_shift bytes */
    uint32_t map_units_shift, map_tag_small;

    /* struct heap */
    uint32_t heap_bytes, heap_arena, heap_base, heap_reserved_size, heap_units, heap_number;
    uint32_t heap_bitmap_words; /* of 64 bits, in each bit map over the units */
    uint32_t heap_vacant, heap_dirty, heap_aged, heap_lost, heap_reserved, heap_guards;

    /*
     * struct slab. Identity is 64 bits: bit 0 is set while the slab exists, and its class and its
     * first unit are where these say. Vacant is a bit map of its chunks.
     */
    uint32_t slab_identity, slab_class_shift, slab_class_mask, slab_unit_shift, slab_unit_mask;
    uint32_t slab_vacant;

    /* struct arena; the list is newest first. */
    const void *arenas;
    uint32_t arena_bytes, arena_next, arena_id, arena_caches, arena_inbox_bytes;
    uint32_t cache_bytes, cache_next, cache_in_use, cache_remote_frees;

    /*
     * LARGE chunks (large/registry.h): descriptors in an array, of which `large_first_used` (32
     * bits) are valid, and in blocks.
     */
    const void *large_first, *large_first_used, *large_blocks;
    uint32_t large_block_next, large_block_count, large_block_items, large_block_bytes;
    uint32_t large_bytes, large_address;
    uint32_t large_requested; /* plus 1; 0: the mapping waits in the cache */
    uint32_t large_mapped, large_reserved, large_was, large_guarded, large_vacated;
    uint32_t large_freed_at;
    /* The last chunks that were unmapped: a ring, and the number of the entry written next. */
    const void *large_gone, *large_gone_next;
    uint32_t gone_count, gone_bytes, gone_address, gone_requested;

    /*
     * Chunks of 0 bytes (bins/empty.c), `chunk_align` apart: the list of their regions, and two bit
     * maps, of the addresses that are live and of those that ever were.
     */
    const void *empty_regions;
    uint32_t region_bytes, region_base, region_places, region_next, region_was, region_live;

    /* What every library of version 1 has ends here; appended members follow. */
    uint32_t base_end;

    /*
     * Who allocated: debug/stack_table.h. The table is behind a pointer, NULL while there is none.
     * Blocks are arrays of pointers in the table; number n of a site is element n & (2^shift - 1)
     * of block n >> shift, and of a node as well. Counters of a site are 64 bits.
     */
    const void *stack_table;
    uint32_t stack_sites, stack_nodes, stack_site_blocks, stack_node_blocks;
    uint32_t stack_site_block_count, stack_node_block_count, stack_site_shift, stack_node_shift;
    uint32_t site_bytes, site_node, site_truncated;
    uint32_t site_samples, site_allocations, site_allocated_bytes, site_freed, site_freed_bytes;
    uint32_t site_temporary, site_temporary_bytes, site_lifetime, site_most, site_most_bytes;
    uint32_t site_peak, site_peak_bytes, site_peak_number;
    uint32_t node_bytes, node_pc, node_parent;
    /* In the table, 64 bits each. */
    uint32_t stack_began, stack_interval, stack_peak_time, stack_peak_number;
    uint32_t stack_taken, stack_truncated, stack_overflowed, stack_nested, stack_dropped;

    /*
     * The live chunks that it knows: debug/live_table.h. Behind the pointer are, for each shard,
     * `live_block_count` pointers to blocks; block b has `live_first` << b entries.
     */
    const void *live_table;
    uint32_t live_shards, live_block_count, live_first, live_bytes;
    uint32_t live_address, live_size, live_stands_for, live_time; /* 64 bits */
    uint32_t live_site, live_count, live_thread;                  /* 32 bits */

    /*
     * The last calls of each thread: debug/history.h. The list of rings is newest first. A ring's
     * format says how many calls it holds and how many frames an entry has; an entry has
     * `call_frames` bytes, and 8 for each frame. The number n of a call counts from 1 up to
     * `ring_noted`; it is entry (n - 1) % calls, and complete if its sequence is 2 * n.
     */
    const void *history;
    uint32_t history_rings, history_dropped;
    uint32_t ring_bytes, ring_next, ring_format, ring_noted, ring_owner, ring_entries;
    uint32_t ring_calls_shift, ring_depth_mask;
    uint32_t call_sequence, call_order, call_began, call_time, call_pointer, call_old, call_size;
    uint32_t call_who, call_frames;
    /* Parts of call_who; and the kinds. */
    uint32_t call_thread_shift, call_kind_shift, call_kind_mask, call_truncated, call_depth_mask;
    uint32_t call_malloc, call_calloc, call_realloc, call_aligned, call_free;

    /*
     * Guarded chunks: bins/guard_pool.h. The pool is behind a pointer, NULL while there is none.
     * The slot around an address is its distance from the base, shifted. All members of a slot have
     * 64 bits. Its life is a number and a state; frames of a call are 64 bits each.
     */
    const void *guard_pool;
    uint32_t guard_base, guard_slots, guard_opened, guard_dropped; /* in the pool; 64 bits */
    uint32_t guard_first, guard_bytes, guard_shift;
    uint32_t guard_life, guard_start, guard_requested, guard_pages, guard_allocated, guard_freed;
    uint32_t guard_life_shift, guard_state_mask;
    uint32_t guard_is_live, guard_is_closing, guard_is_freed, guard_is_lost;
    uint32_t guard_call_time, guard_call_where, guard_call_frames, guard_call_depth;
    /* Parts of guard_call_where. */
    uint32_t guard_thread_shift, guard_truncated, guard_depth_mask;

    /*
     * base/own.h: the memory that the library mapped for itself, in pieces of a list, the first of
     * which is here. An entry has an address and a size of 64 bits each; the size is 0 in one that
     * is not used.
     */
    const void *own;
    uint32_t own_next, own_room, own_entries, own_bytes, own_entry_bytes;

    /*
     * base/control.h: how to set an option from outside. Request and answered have 64 bits, error
     * has 32; text and answer are strings of at most so many bytes with the 0. `modes_on` has 32
     * bits, one for each mode that is on (base/modes.h).
     */
    void *control;
    uint32_t control_request, control_answered, control_error;
    uint32_t control_text, control_text_bytes, control_answer, control_answer_bytes;
    const void *modes_on;

    /* base/outside.h: words of 64 bits. */
    const void *outside;

    /* Of an entry of the list of base/own.h: 64 bits, not 0 if no reader needs the memory. */
    uint32_t own_inner;

    /* Of base/outside.h; libft_malloc_debug.so needs them. */
    uint32_t outside_changes, outside_remembered;
};

extern const struct ft_malloc_layout ft_malloc_layout __attribute__((visibility("default")));

#endif
