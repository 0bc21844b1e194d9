/*
 * The list of the allocator's own memory.
 */
#include "base/own.h"

#include "os/os.h"

OS_TOUCHED static struct own_range first_entries[OWN_FIRST];

struct own_ranges own_first = {.room = OWN_FIRST, .of = first_entries};

/* Returns an unused entry of the piece, or NULL if it is full. */
static struct own_range *take_entry(struct own_ranges *piece)
{
    unsigned entry;

    /* Relaxed: each thread gets another number. The load keeps the number from running over. */
    if (atomic_load_explicit(&piece->used, memory_order_relaxed) >= piece->room)
        return NULL;
    entry = atomic_fetch_add_explicit(&piece->used, 1, memory_order_relaxed); /* as in own.h */
    return entry < piece->room ? &piece->of[entry] : NULL;
}

/* Returns the piece behind a full one, which is made if there is none, or NULL without memory. */
static struct own_ranges *next_piece(struct own_ranges *piece)
{
    size_t size = os_page_size();
    /* Acquire: see struct own_ranges. */
    struct own_ranges *next = atomic_load_explicit(&piece->next, memory_order_acquire);
    struct own_ranges *made;

    if (next != NULL)
        return next;
    made = os_map(size);
    if (made == NULL)
        return NULL;
    made->room = (unsigned)((size - sizeof *made) / sizeof made->of[0]);
    made->of = (struct own_range *)(void *)(made + 1);
    /* Relaxed: no other thread knows it yet. */
    atomic_store_explicit(&made->used, 1, memory_order_relaxed);
    atomic_store_explicit(&made->of[0].start, (uintptr_t)made, memory_order_relaxed);
    atomic_store_explicit(&made->of[0].size, size, memory_order_relaxed);
    /* Release and acquire: see struct own_ranges. */
    if (atomic_compare_exchange_strong_explicit(&piece->next, &next, made, memory_order_release,
                                                memory_order_acquire))
        return made;
    os_unmap(made, size);
    return next;
}

void own_enter(const void *start, size_t size)
{
    struct own_ranges *piece = &own_first;
    struct own_range *entry;

    while ((entry = take_entry(piece)) == NULL) {
        piece = next_piece(piece);
        if (piece == NULL)
            return;
    }
    /* Relaxed, then release: a reader that sees the size sees the address. */
    atomic_store_explicit(&entry->start, (uintptr_t)start, memory_order_relaxed);
    atomic_store_explicit(&entry->size, size, memory_order_release);
}

void *own_map(size_t size)
{
    void *memory;

    size = round_up(size, os_page_size());
    memory = os_map(size);
    if (memory != NULL)
        own_enter(memory, size);
    return memory;
}

void *own_map_part(size_t size, size_t *ready)
{
    void *memory;

    size = round_up(size, os_page_size());
    *ready = round_up(*ready, os_page_size());
    memory = os_reserve(size);
    if (memory == NULL)
        return NULL;
    if (!os_renew(memory, *ready)) {
        /* What the kernel did not renew may be a hole now, and another thread's. */
        os_unmap((char *)memory + *ready, size - *ready);
        return NULL;
    }
    own_enter(memory, size);
    return memory;
}

/* Only the owner of the memory calls this, so its entry is complete and stays where it is. */
static struct own_range *find(const void *memory)
{
    for (struct own_ranges *piece = &own_first; piece != NULL;
         /* Acquire: see struct own_ranges. */
         piece = atomic_load_explicit(&piece->next, memory_order_acquire))
        for (unsigned i = 0; i < piece->room; i++)
            /* Relaxed: entries of others are only compared. */
            if (atomic_load_explicit(&piece->of[i].start, memory_order_relaxed) ==
                    (uintptr_t)memory &&
                atomic_load_explicit(&piece->of[i].size, memory_order_relaxed) != 0)
                return &piece->of[i];
    return NULL;
}

void own_is_inner(const void *memory)
{
    struct own_range *entry = find(memory);

    if (entry != NULL)
        atomic_store_explicit(&entry->inner, 1, memory_order_relaxed); /* see struct own_range */
}

bool own_unmap(void *memory, size_t size)
{
    struct own_range *entry = find(memory);
    size_t rounded = round_up(size, os_page_size());

    /*
     * Before the memory is unmapped, because another thread may be given the same addresses then.
     * Relaxed: the entry is not used again.
     */
    if (entry != NULL)
        atomic_store_explicit(&entry->size, 0, memory_order_relaxed);
    if (os_unmap(memory, rounded))
        return true;
    if (entry != NULL)
        atomic_store_explicit(&entry->size, rounded, memory_order_relaxed); /* as it was */
    return false;
}
