/*
 * Reading the history. Nothing waits for a reader: what is overwritten while it is read is left
 * out.
 */
#include "debug/history.h"

#include "os/os.h"

struct history history;

static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire); /* see struct history_ring */
}

static struct history_place place_of(const struct history_ring *ring, uint64_t format,
                                     uint64_t number)
{
    uint64_t calls = format >> HISTORY_CALLS_SHIFT,
             stride = HISTORY_FRAMES + (format & HISTORY_DEPTH_MASK);

    return (struct history_place){.ring = ring,
                                  .entry = &ring->words[(number - 1) % calls * stride],
                                  .format = format,
                                  .number = number};
}

/* Returns whether what was read since the last check is all of this one call. */
static bool holds(const struct history_place *place)
{
    return load(&place->entry[HISTORY_SEQUENCE]) == 2 * place->number &&
           load(&place->ring->format) == place->format;
}

static enum event_kind kind_of(uint64_t who)
{
    return (enum event_kind)(who >> HISTORY_KIND_SHIFT & HISTORY_KIND_MASK);
}

/* Reads all but the frames. */
static bool read_head(const struct history_place *place, struct history_call *call)
{
    uint64_t who;

    if (!holds(place))
        return false;
    who = load(&place->entry[HISTORY_WHO]);
    call->order = load(&place->entry[HISTORY_ORDER]);
    call->began = load(&place->entry[HISTORY_BEGAN]);
    call->kind = kind_of(who);
    call->pointer = (uintptr_t)load(&place->entry[HISTORY_POINTER]);
    call->old = (uintptr_t)load(&place->entry[HISTORY_OLD]);
    call->size = (size_t)load(&place->entry[HISTORY_SIZE]);
    call->caller.time = load(&place->entry[HISTORY_TIME]);
    call->caller.thread = (uint32_t)(who >> HISTORY_THREAD_SHIFT);
    return holds(place);
}

static bool read_frames(const struct history_place *place, struct caller *caller)
{
    uint64_t who = load(&place->entry[HISTORY_WHO]), depth = place->format & HISTORY_DEPTH_MASK;

    caller->truncated = (who & HISTORY_TRUNCATED) != 0;
    caller->depth =
        (uint16_t)((who & HISTORY_DEPTH_MASK) < depth ? who & HISTORY_DEPTH_MASK : depth);
    for (unsigned n = 0; n < caller->depth; n++)
        caller->frames[n] = (uintptr_t)load(&place->entry[HISTORY_FRAMES + n]);
    return holds(place);
}

static void each_in(const struct history_ring *ring, history_visit *visit, void *context)
{
    uint64_t format = load(&ring->format), last = load(&ring->noted);
    uint64_t calls = format >> HISTORY_CALLS_SHIFT;
    struct history_call head;

    for (uint64_t n = 0; n < calls && n < last; n++) {
        struct history_place place = place_of(ring, format, last - n);

        if (read_head(&place, &head) && !visit(context, &place, &head))
            break;
    }
}

void history_each_place(history_visit *visit, void *context)
{
    const struct history_ring *ring =
        atomic_load_explicit(&history.rings, memory_order_acquire); /* see struct history */

    for (; ring != NULL; ring = ring->next)
        each_in(ring, visit, context);
}

struct visitor {
    bool (*visit)(void *context, const struct history_call *call);
    void *context;
};

static bool visit_whole(void *context, const struct history_place *place,
                        const struct history_call *head)
{
    const struct visitor *visitor = context;
    struct history_call call = *head;

    return !read_frames(place, &call.caller) || visitor->visit(visitor->context, &call);
}

void history_each(bool (*visit)(void *context, const struct history_call *call), void *context)
{
    struct visitor visitor = {.visit = visit, .context = context};

    history_each_place(visit_whole, &visitor);
}

bool history_read(const struct history_ring *ring, uint64_t number, struct history_call *call)
{
    uint64_t format = load(&ring->format);
    struct history_place place;

    if (number == 0 || format >> HISTORY_CALLS_SHIFT == 0)
        return false;
    place = place_of(ring, format, number);
    return read_head(&place, call) && read_frames(&place, &call->caller);
}

bool history_last(const struct history_ring *ring, struct history_call *call)
{
    return history_read(ring, load(&ring->noted), call);
}

size_t history_count(void)
{
    const struct history_ring *ring =
        atomic_load_explicit(&history.rings, memory_order_acquire); /* see struct history */
    size_t count = 0;

    for (; ring != NULL; ring = ring->next) {
        uint64_t calls = load(&ring->format) >> HISTORY_CALLS_SHIFT, noted = load(&ring->noted);

        count += noted < calls ? noted : calls;
    }
    return count;
}

/* Each load is an acquire, so that the sequence is read first, and last. */
static void copy_entry(const struct history_ring *ring, uint64_t format,
                       const _Atomic uint64_t *entry, uint64_t *copy, size_t stride)
{
    for (size_t word = 0; word < stride; word++)
        copy[word] = load(&entry[word]);
    if (copy[HISTORY_SEQUENCE] % 2 != 0 ||
        load(&entry[HISTORY_SEQUENCE]) != copy[HISTORY_SEQUENCE] || load(&ring->format) != format)
        copy[HISTORY_SEQUENCE] = 0;
}

size_t history_copy(const struct history_ring *ring, uint64_t format, size_t first, void *copy,
                    size_t room)
{
    size_t stride = HISTORY_FRAMES + (size_t)(format & HISTORY_DEPTH_MASK);
    size_t calls = (size_t)(format >> HISTORY_CALLS_SHIFT);
    size_t count = room / (stride * sizeof(uint64_t));

    count = first >= calls ? 0 : calls - first < count ? calls - first : count;
    for (size_t n = 0; n < count; n++)
        copy_entry(ring, format, &ring->words[(first + n) * stride], (uint64_t *)copy + n * stride,
                   stride);
    return count;
}

bool history_allocates(const struct history_call *call, uintptr_t address)
{
    return call->kind != EVENT_FREE && call->pointer == address && address != 0;
}

bool history_frees(const struct history_call *call, uintptr_t address)
{
    if (call->old != address || address == 0)
        return false;
    if (call->kind == EVENT_FREE)
        return true;
    /* realloc frees what it moves, and what it is to make as small as nothing. */
    return call->pointer == 0 ? call->size == 0 : call->pointer != address;
}

struct search {
    uintptr_t address;
    uint64_t before;
    struct history_chunk *chunk;
};

/* Looks for the last call that allocated the chunk. */
static bool look_for_allocation(void *context, const struct history_place *place,
                                const struct history_call *head)
{
    const struct search *search = context;
    struct history_chunk *chunk = search->chunk;
    struct history_call call = *head;

    /* Older calls of this ring do not matter any more. */
    if (chunk->allocated_known && head->order < chunk->allocated.order)
        return false;
    if (head->order >= search->before || !history_allocates(head, search->address) ||
        !read_frames(place, &call.caller))
        return true;
    chunk->allocated = call;
    chunk->allocated_known = true;
    return false;
}

/* Looks for the first call that freed the address after the allocation that was found. */
static bool look_for_free(void *context, const struct history_place *place,
                          const struct history_call *head)
{
    const struct search *search = context;
    struct history_chunk *chunk = search->chunk;
    struct history_call call = *head;

    if (chunk->allocated_known && head->order < chunk->allocated.order)
        return false;
    if (head->began >= search->before || !history_frees(head, search->address) ||
        (chunk->allocated_known && head->began <= chunk->allocated.order) ||
        (chunk->freed_known && head->began >= chunk->freed.began) ||
        !read_frames(place, &call.caller))
        return true;
    chunk->freed = call;
    chunk->freed_known = true;
    return true;
}

void history_find(uintptr_t address, uint64_t before, struct history_chunk *chunk)
{
    struct search search = {.address = address, .before = before, .chunk = chunk};

    chunk->allocated_known = chunk->freed_known = false;
    history_each_place(look_for_allocation, &search);
    history_each_place(look_for_free, &search);
}
