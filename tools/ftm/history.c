/*
 * Reads the rings. An entry counts if its sequence was the same, and that of a complete call,
 * before and after the rest of it was read.
 */
#include "history.h"

#include "ranges.h"
#include "view_private.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 20 }; /* bytes for entries */

struct ring {
    uint64_t entries; /* address */
    uint64_t calls;
    unsigned depth;
    uint32_t entry_size;
    uint64_t noted;
};

static bool members_are_sound(const struct ft_malloc_layout *layout)
{
    uint32_t frames = layout->call_frames;

    return frames >= 8 && frames <= 4096 && layout->call_sequence <= frames - 8 &&
           layout->call_order <= frames - 8 && layout->call_time <= frames - 8 &&
           layout->call_pointer <= frames - 8 && layout->call_old <= frames - 8 &&
           layout->call_size <= frames - 8 && layout->call_who <= frames - 8 &&
           layout->call_thread_shift < 64 && layout->call_kind_shift < 64 &&
           layout->ring_calls_shift < 64;
}

static const char *kind_name(const struct ft_malloc_layout *layout, unsigned kind)
{
    return kind == layout->call_malloc    ? "malloc"
           : kind == layout->call_calloc  ? "calloc"
           : kind == layout->call_realloc ? "realloc"
           : kind == layout->call_aligned ? "aligned"
           : kind == layout->call_free    ? "free"
                                          : "?";
}

static void take_entry(const struct ft_malloc_layout *layout, const struct ring *ring,
                       const unsigned char *entry, struct past_call *call)
{
    uint64_t who = get64(entry, layout->call_who);
    unsigned kind = (unsigned)(who >> layout->call_kind_shift) & layout->call_kind_mask;
    unsigned depth = (unsigned)who & layout->call_depth_mask;

    *call = (struct past_call){.kind = kind_name(layout, kind),
                               .allocates = kind != layout->call_free,
                               .frees = kind == layout->call_free || kind == layout->call_realloc,
                               .order = get64(entry, layout->call_order),
                               .time = get64(entry, layout->call_time),
                               .pointer = get64(entry, layout->call_pointer),
                               .old = get64(entry, layout->call_old),
                               .size = get64(entry, layout->call_size),
                               .thread = (uint32_t)(who >> layout->call_thread_shift),
                               .truncated = (who & layout->call_truncated) != 0};
    call->depth = depth < ring->depth ? depth : ring->depth;
    if (call->depth > PAST_DEPTH_MAX)
        call->depth = PAST_DEPTH_MAX;
    memcpy(call->frames, entry + layout->call_frames, call->depth * sizeof call->frames[0]);
}

static bool read_ring(struct view *view, uint64_t at, struct ring *ring, uint64_t *next)
{
    enum { CALLS_MAX = 1 << 24 };
    const struct ft_malloc_layout *layout = &view->layout;
    uint64_t format;

    if (!read64(view, at + layout->ring_next, next) ||
        !read64(view, at + layout->ring_format, &format) ||
        !read64(view, at + layout->ring_noted, &ring->noted))
        return false;
    ring->entries = at + layout->ring_entries;
    ring->calls = format >> layout->ring_calls_shift;
    ring->depth = (unsigned)format & layout->ring_depth_mask;
    ring->entry_size = layout->call_frames + ring->depth * (uint32_t)sizeof(uint64_t);
    return ring->calls <= CALLS_MAX && ring->depth <= 4096;
}

/* Entries of a ring, as they were read: sequences before, all of it, and sequences after that. */
struct copies {
    unsigned char *of[3];
    uint64_t number, count; /* of the first one, and how many there are */
};

/* Makes none of each entry that its thread has written to meanwhile. */
static void drop_torn(const struct ft_malloc_layout *layout, const struct ring *ring,
                      const struct copies *copies)
{
    static const uint64_t none;

    for (uint64_t i = 0; i < copies->count; i++) {
        uint64_t at = i * ring->entry_size + layout->call_sequence;
        uint64_t sequence = get64(copies->of[1] + at, 0);

        if (sequence == 0 || sequence % 2 != 0 || sequence != get64(copies->of[0] + at, 0) ||
            sequence != get64(copies->of[2] + at, 0) ||
            (sequence / 2 - 1) % ring->calls != copies->number + i)
            memcpy(copies->of[1] + at, &none, sizeof none);
    }
}

/* Reads the entries that follow. Returns false after the last one, or if they cannot be read. */
static bool read_copies(struct view *view, const struct ring *ring, uint64_t end, size_t room,
                        struct copies *copies)
{
    uint64_t count, left;

    copies->number += copies->count;
    left = end - copies->number;
    count = room / ring->entry_size;
    copies->count = count < left ? count : left;
    for (unsigned i = 0; i < 3 && copies->count > 0; i++)
        if (!source_read(view->source, ring->entries + copies->number * ring->entry_size,
                         copies->of[i], (size_t)copies->count * ring->entry_size)) {
            view->unread++;
            return false;
        }
    drop_torn(&view->layout, ring, copies);
    return copies->count > 0;
}

struct calls {
    int (*visit)(void *context, const struct past_call *call);
    void *context;
};

static int each_in_ring(struct view *view, const struct ring *ring, struct copies *copies,
                        void *context)
{
    const struct calls *calls = context;
    uint64_t used = ring->noted < ring->calls ? ring->noted : ring->calls;
    int result = 0;

    while (result == 0 && read_copies(view, ring, used, ROOM, copies))
        for (uint64_t i = 0; i < copies->count && result == 0; i++) {
            const unsigned char *entry = copies->of[1] + i * ring->entry_size;
            struct past_call call;

            if (get64(entry, view->layout.call_sequence) == 0)
                continue;
            take_entry(&view->layout, ring, entry, &call);
            result = calls->visit(calls->context, &call);
        }
    return result;
}

/* Calls `visit` for each ring, with room for copies, until it returns another value than 0. */
static int each_ring(struct view *view,
                     int (*visit)(struct view *view, const struct ring *ring, struct copies *copies,
                                  void *context),
                     void *context)
{
    const struct ft_malloc_layout *layout = &view->layout;
    struct list_walk walk = {.steps = 0};
    uint64_t history, at, next;
    unsigned char *buffer;
    struct ring ring;
    int result = 0;

    if (layout->history == NULL || !members_are_sound(layout) ||
        !read64(view, root_of(layout->history), &history) || history == 0 ||
        !read64(view, history + layout->history_rings, &at))
        return 0;
    buffer = malloc(3 * (size_t)ROOM);
    if (buffer == NULL)
        return view_no_memory();
    for (; at != 0 && result == 0 && list_goes_on(&walk, at); at = next) {
        struct copies copies = {.of = {buffer, buffer + ROOM, buffer + 2 * (size_t)ROOM}};

        if (!read_ring(view, at, &ring, &next)) {
            view->unread++;
            break;
        }
        result = visit(view, &ring, &copies, context);
    }
    free(buffer);
    return result;
}

int history_each(struct view *view, int (*visit)(void *context, const struct past_call *call),
                 void *context)
{
    return each_ring(view, each_in_ring, &(struct calls){visit, context});
}

static int add_entries(struct view *view, const struct ring *ring, struct copies *copies,
                       void *ranges)
{
    (void)view;
    (void)copies;
    ranges_add(ranges, ring->entries, ring->calls * ring->entry_size);
    return 0;
}

void history_ranges(struct view *view, struct ranges *ranges)
{
    (void)each_ring(view, add_entries, ranges);
}

struct putting {
    void (*put)(void *context, uint64_t address, const void *bytes, size_t size);
    void *context;
};

static int put_entries(struct view *view, const struct ring *ring, struct copies *copies,
                       void *context)
{
    const struct putting *putting = context;

    while (read_copies(view, ring, ring->calls, ROOM, copies))
        putting->put(putting->context, ring->entries + copies->number * ring->entry_size,
                     copies->of[1], (size_t)copies->count * ring->entry_size);
    return 0;
}

void history_copy(struct view *view,
                  void (*put)(void *context, uint64_t address, const void *bytes, size_t size),
                  void *context)
{
    (void)each_ring(view, put_entries, &(struct putting){put, context});
}

struct search {
    uint64_t address;
    struct past_call *allocated, *freed;
};

static int note(void *context, const struct past_call *call)
{
    const struct search *search = context;

    if (call->allocates && call->pointer == search->address &&
        (search->allocated->kind == NULL || call->order > search->allocated->order))
        *search->allocated = *call;
    if (call->frees && call->old == search->address && call->pointer != search->address &&
        (search->freed->kind == NULL || call->order > search->freed->order))
        *search->freed = *call;
    return 0;
}

/* One of the two calls that the slot of a guarded chunk tells of. */
static void take_guard_call(const struct ft_malloc_layout *layout, const unsigned char *record,
                            const char *kind, struct past_call *call)
{
    uint64_t where = get64(record, layout->guard_call_where);
    unsigned depth = (unsigned)where & layout->guard_depth_mask;

    *call = (struct past_call){.kind = kind,
                               .time = get64(record, layout->guard_call_time),
                               .thread = (uint32_t)(where >> layout->guard_thread_shift),
                               .truncated = (where & layout->guard_truncated) != 0};
    call->depth = depth < layout->guard_call_depth ? depth : layout->guard_call_depth;
    call->depth = call->depth < PAST_DEPTH_MAX ? call->depth : PAST_DEPTH_MAX;
    memcpy(call->frames, record + layout->guard_call_frames, call->depth * sizeof call->frames[0]);
}

static bool guard_calls_are_sound(const struct ft_malloc_layout *layout)
{
    uint64_t call = layout->guard_call_frames + layout->guard_call_depth * UINT64_C(8);

    return layout->guard_bytes <= 1 << 16 && call <= layout->guard_bytes &&
           layout->guard_allocated <= layout->guard_bytes - call &&
           layout->guard_freed <= layout->guard_bytes - call && layout->guard_thread_shift < 64 &&
           layout->guard_call_time + UINT64_C(8) <= call &&
           layout->guard_call_where + UINT64_C(8) <= call &&
           layout->guard_life + UINT64_C(8) <= layout->guard_bytes;
}

/* Returns whether the address is that of a slot's last chunk. */
static bool guarded_of(struct view *view, uint64_t address, struct past_call *allocated,
                       struct past_call *freed)
{
    const struct ft_malloc_layout *layout = &view->layout;
    struct guard_slots slots;
    struct view_chunk chunk;
    enum view_verdict verdict;
    unsigned char *slot;
    uint64_t at;

    if (!view_guard_pool(view, &slots) || !guard_calls_are_sound(layout))
        return false;
    verdict = view_find_guarded(view, address, &chunk);
    if (verdict != VIEW_LIVE && verdict != VIEW_FREED)
        return false;
    slot = malloc(layout->guard_bytes);
    at = slots.first + ((address - slots.base) >> layout->guard_shift) * layout->guard_bytes;
    if (slot != NULL && source_read(view->source, at, slot, layout->guard_bytes)) {
        take_guard_call(layout, slot + layout->guard_allocated, "malloc", allocated);
        if (verdict == VIEW_FREED)
            take_guard_call(layout, slot + layout->guard_freed, "free", freed);
    }
    free(slot);
    return true;
}

void history_of(struct view *view, uint64_t address, struct past_call *allocated,
                struct past_call *freed)
{
    struct search search = {.address = address, .allocated = allocated, .freed = freed};

    allocated->kind = freed->kind = NULL;
    if (guarded_of(view, address, allocated, freed))
        return;
    (void)history_each(view, note, &search);
    /* A free before the last allocation is that of an earlier chunk. */
    if (allocated->kind != NULL && freed->kind != NULL && freed->order < allocated->order)
        freed->kind = NULL;
}

uint64_t history_age(struct view *view, uint64_t time)
{
    uint64_t now = source_clock(view_source(view));

    return time != 0 && now > time ? now - time : 0;
}
