/*
 * Commands on many chunks, which fill and empty slabs and heaps.
 */
#include "fuzz/fuzz.h"

#include "support/prefixed.h"

enum { TOGETHER_MAX = 16 << 20 };

/* All of one size, or each a little larger than the one before. */
void command_alloc_many(void)
{
    unsigned at = input_byte() * 8, count = (input_byte() + 1) * 2;
    size_t step = input_byte() % 4 * 16, size = input_size();

    for (unsigned i = 0; i < count && fuzz.held_bytes + size < TOGETHER_MAX; i++, size += step) {
        struct held *slot = slot_empty(at);

        if (slot == NULL || !held_enter(slot, ft_malloc(size), size, LEAST_ALIGNMENT))
            break;
        at = (unsigned)(slot - fuzz.slots) + 1;
    }
    held_require_disjoint();
}

void command_free_many(void)
{
    unsigned at = input_byte() * 8, count = (input_byte() + 1) * 2, step = input_byte() % 7 + 1;

    for (unsigned i = 0; i < count; i++, at += step)
        if (fuzz.slots[at % SLOTS].start != NULL)
            ft_free(held_leave(&fuzz.slots[at % SLOTS]));
}

void command_resize_many(void)
{
    unsigned at = input_byte() * 8, count = input_byte() + 1;
    size_t numerator = input_byte() % 24 + 1;

    for (unsigned i = 0; i < count; i++, at++) {
        struct held *slot = &fuzz.slots[at % SLOTS];
        size_t size = slot->size / 8 * numerator + 1;

        if (slot->start != NULL && (size <= slot->size || fuzz.held_bytes + size < TOGETHER_MAX))
            held_resized(slot, ft_realloc(slot->start, size), size);
    }
    held_require_disjoint();
}

void command_free_all(void)
{
    bool backwards = input_byte() % 2;

    for (unsigned i = 0; i < SLOTS; i++) {
        struct held *slot = &fuzz.slots[backwards ? SLOTS - 1 - i : i];

        if (slot->start != NULL)
            ft_free(held_leave(slot));
    }
}

/* Allocates and frees a chunk in one slot again and again, as a loop does. */
void command_pairs(void)
{
    unsigned count = input_byte();
    size_t size = input_size();
    struct held *slot = slot_empty(0);

    for (unsigned i = 0; i < count && slot != NULL; i++) {
        if (!held_enter(slot, ft_malloc(size), size, LEAST_ALIGNMENT))
            break;
        ft_free(held_leave(slot));
        size = size > SIZE_MAX / 2 ? size : (size + i) % (1 << 20);
    }
}
