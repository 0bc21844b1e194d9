/*
 * Internal to src/bins: what a heap knows of its pages, where units are too coarse. Four bit maps
 * in its header have a bit for each OS_PAGE of the heap. They are stored on a page that a heap of
 * which little is used does not touch before it notes something. With the arena's lock held, except
 * for the counts.
 *
 *   GIVEN     given back to the kernel, and not handed out since
 *   AGED      free when its heap was last looked at for old pages (slab_pages.h)
 *   LOST      in a slab, and may be a hole, because the kernel failed to renew it
 *   RENEWED   renewed in a child of the fork that came after the heap was made
 *
 * heap->noted is true if any page may be GIVEN or AGED.
 */
#ifndef FT_BINS_HEAP_PAGES_H
#define FT_BINS_HEAP_PAGES_H

#include "bins/slab.h"
#include "os/os.h"

enum heap_page_map { PAGES_GIVEN, PAGES_AGED, PAGES_LOST, PAGES_RENEWED, PAGE_MAPS };

enum {
    UNIT_PAGES = UNIT_SIZE / OS_PAGE,
    TINY_PAGE_WORDS = TINY_HEAP_SIZE / OS_PAGE / 64,
    SMALL_PAGE_WORDS = SMALL_HEAP_SIZE / OS_PAGE / 64,
    PAGE_WORD_BYTES = PAGE_MAPS * sizeof(uint64_t),
    /*
     * The end of a header stays zero, because hardened mode takes it for free memory: see beside.h.
     */
    HEADER_ZERO_END = 64,
    /* Behind the slabs: in TINY on the page of the last ones, in SMALL on a page of its own. */
    TINY_PAGES_OFFSET =
        TINY_FIRST_UNIT * UNIT_SIZE - HEADER_ZERO_END - TINY_PAGE_WORDS * PAGE_WORD_BYTES,
    SMALL_PAGES_OFFSET = 328 << 10,
};

static_assert(TINY_SLABS_OFFSET + TINY_UNITS * TINY_SLAB_STRIDE <= TINY_PAGES_OFFSET,
              "behind the slabs");
static_assert(SMALL_SLABS_OFFSET + SMALL_SLABS * SMALL_SLAB_STRIDE <= SMALL_PAGES_OFFSET,
              "behind the slabs");
static_assert(SMALL_PAGES_OFFSET + SMALL_PAGE_WORDS * PAGE_WORD_BYTES + HEADER_ZERO_END <=
                  SMALL_FIRST_UNIT * UNIT_SIZE,
              "SMALL header");

static inline unsigned heap_page_words(const struct heap *heap)
{
    return heap->set->small ? SMALL_PAGE_WORDS : TINY_PAGE_WORDS;
}

static inline uint64_t *heap_page_map(const struct heap *heap, enum heap_page_map which)
{
    uintptr_t offset = heap->set->small ? SMALL_PAGES_OFFSET : TINY_PAGES_OFFSET;

    return (uint64_t *)pointer_to(heap->base + offset) + which * heap_page_words(heap);
}

/*
 * In the child of a fork: adds the mappings to the account that it costs to renew some pages of a
 * heap that is older than the process. The kernel joins them with neighbours that were renewed
 * before. Returns false if there would be too many, unless the pages are `needed`; nothing has
 * changed then. Elsewhere renewing pages costs no mapping.
 */
bool heap_pages_account(struct heap *heap, unsigned first, unsigned pages, bool needed);

/* Returns how many mappings of the heap are on the account because pages were renewed. */
unsigned heap_pages_mappings(const struct heap *heap);

/* Called when units of a heap that has heap->noted set are put into a slab. */
void heap_pages_claimed(struct heap *heap, unsigned first, unsigned units);

/* For the repair after a fork: no page is GIVEN or AGED. */
void heap_pages_forget(struct heap *heap);

/* Count what was given back, by one call, and GIVEN pages that were handed out again. */
void heap_pages_count_given(struct heap_set *set, unsigned pages);
void heap_pages_count_wanted(struct heap_set *set, unsigned pages);

#endif
