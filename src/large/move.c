/*
 * Moves a very large chunk. Its pages are unmapped while the new ones are filled, so that both
 * together take hardly more memory than the chunk. A page that was never written to does not become
 * resident by the copy. Only the holder of the chunk calls these functions.
 */
#include "base/clock.h"
#include "large/registry.h"

#include "base/canary.h"
#include "large/headroom.h"

#include <string.h>

enum { PIECE = 16 << 20 };

static bool all_zero(const char *at, const char *end)
{
    /* Look in short steps, because the first one usually tells of pages that were written to. */
    for (const char *next; at < end; at = next) {
        next = end - at > CANARY_MAX ? at + CANARY_MAX : end;
        if (!canary_zero_words(at, next))
            return false;
    }
    return true;
}

void large_copy_written(char *to, const char *from, size_t bytes)
{
    size_t page = os_page_size();

    for (size_t at = 0; at < bytes; at += page) {
        size_t piece = bytes - at < page ? bytes - at : page;

        if (!all_zero(from + at, from + at + piece))
            memcpy(to + at, from + at, piece);
    }
}

/*
 * Takes the chunk out of the registry, so that no look-up finds it any more. Returns NULL if
 * another thread has freed it meanwhile.
 */
static struct large *take_out(uintptr_t address)
{
    struct large *large;
    size_t requested;

    registry_lock();
    large = registry_find(address);
    requested = large == NULL ? 0 : registry_mark_free(large);
    if (requested != 0) {
        atomic_store_explicit(&large->was, requested - 1, memory_order_relaxed);
        cache_lend(large, 0);
        cache_count_live(-large->mapped);
        registry_take_out(large);
        registry_note_gone(address, requested - 1);
        registry_remove(large);
    }
    registry_unlock();
    return requested != 0 ? large : NULL;
}

/*
 * Drops the chunk, or what is left of it from `start` on. What the kernel refuses to unmap becomes
 * a free mapping in the cache.
 */
static void drop_rest(struct large *large, char *start, size_t left)
{
    bool gone = left == 0 || os_unmap(start, left);

    if (gone)
        headroom_give(large->promised);
    registry_lock();
    if (gone) {
        registry_drop(large);
    } else {
        large->mapped -= large->reserved - left;
        large->reserved = left;
        registry_insert(large, (uintptr_t)start);
        cache_put(large, clock_now());
    }
    registry_unlock();
}

bool large_move(uintptr_t from, char *to)
{
    struct large *large = take_out(from);
    char *start = pointer_to(from);
    size_t copied = 0, given = 0;

    if (large == NULL)
        return false;
    while (copied < large->mapped) {
        size_t piece = large->mapped - copied < PIECE ? large->mapped - copied : PIECE;

        large_copy_written(to + copied, start + copied, piece);
        copied += piece;
        /*
         * Unmaps all but the last piece, which is unmapped together with the headroom. What the
         * kernel refuses once is tried again with the next piece.
         */
        if (copied < large->mapped && os_unmap(start + given, copied - given))
            given = copied;
    }
    drop_rest(large, start + given, large->reserved - given);
    return true;
}
