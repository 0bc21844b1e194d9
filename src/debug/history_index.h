/*
 * What the history held at some moment, in order: all calls, from the oldest to the newest; and for
 * each address the last call that concerned it. It has memory of its own.
 */
#ifndef FT_DEBUG_HISTORY_INDEX_H
#define FT_DEBUG_HISTORY_INDEX_H

#include "debug/history.h"

struct history_item {
    uint64_t key;   /* what the items are sorted by: an order, or an address */
    uint64_t order; /* among items with the same key */
    const struct history_ring *ring;
    uint64_t number; /* of the call in its ring */
};

struct history_index {
    struct history_item *items;
    size_t count, room;
    size_t bytes; /* of the mapping */
};

/*
 * Make an index of all calls by their order, or of the calls that allocated and freed by address.
 * Return false if there was not enough memory; then the index has what fitted. history_index_end()
 * unmaps it in any case.
 */
bool history_index_calls(struct history_index *index);
bool history_index_chunks(struct history_index *index);
void history_index_end(struct history_index *index);

/*
 * Finds the call that allocated the live chunk at the address. Returns false if the last call that
 * is known of the address is none, or was overwritten since.
 */
bool history_index_find(const struct history_index *index, uintptr_t address,
                        struct history_call *call);

#endif
