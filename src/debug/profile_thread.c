/*
 * Records are on pages of their own, which are never unmapped. No lock is needed, so a signal
 * handler may interrupt any of this.
 */
#include "debug/profile_thread.h"

#include "arena/thread.h"
#include "debug/mode_memory.h"

#include <string.h>

const struct profile_thread profile_none;
_Thread_local struct profile_thread *profile_self = PROFILE_NONE;

enum { PAGE_BYTES = 4096 };

struct page {
    struct page *next;
    struct profile_thread of[(PAGE_BYTES - 64) / sizeof(struct profile_thread)];
};

enum { RECORDS = sizeof((struct page *)NULL)->of / sizeof(struct profile_thread) };

static_assert(sizeof(struct page) <= PAGE_BYTES, "the records fit in a page");

/* Pages are put in front, with release; who walks with acquire finds them complete. */
static _Atomic(struct page *) pages;

static struct page *first_page(void)
{
    return atomic_load_explicit(&pages, memory_order_acquire);
}

/* See `taken` for the ordering. */
static bool take(struct profile_thread *record)
{
    return !atomic_load_explicit(&record->taken, memory_order_relaxed) &&
           !atomic_exchange_explicit(&record->taken, true, memory_order_acquire);
}

static struct profile_thread *take_idle(void)
{
    for (struct page *page = first_page(); page != NULL; page = page->next)
        for (unsigned n = 0; n < RECORDS; n++)
            if (take(&page->of[n]))
                return &page->of[n];
    return NULL;
}

static struct profile_thread *take_new(void)
{
    struct page *page = mode_memory_map(MODE_PROFILE, sizeof *page);

    if (page == NULL)
        return NULL;
    take(&page->of[0]);
    /* relaxed: the exchange checks it */
    page->next = atomic_load_explicit(&pages, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pages, &page->next, page, memory_order_release,
                                                  memory_order_relaxed))
        ;
    return &page->of[0];
}

/* The draws go on where the thread that had the record before has ended. */
static void forget_calls(struct profile_thread *record)
{
    record->last = 0;
    record->moving.address = 0;
    record->thread = 0;
    record->noting = record->pending = false;
}

struct profile_thread *profile_thread_get(void)
{
    struct profile_thread *record = profile_self;

    if (record != PROFILE_NONE)
        return record;
    record = take_idle();
    if (record == NULL)
        record = take_new();
    if (record == NULL)
        return PROFILE_NONE;
    forget_calls(record);
    thread_self.bytes_left = record->distance;
    profile_self = record;
    return record;
}

void profile_thread_end(void)
{
    struct profile_thread *record = profile_self;

    if (record == PROFILE_NONE)
        return;
    record->distance = thread_self.bytes_left;
    thread_self.bytes_left = 0;
    profile_self = PROFILE_NONE;
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&record->taken, false, memory_order_release);
}

void profile_thread_after_fork(void)
{
    for (struct page *page = first_page(); page != NULL; page = page->next)
        for (unsigned n = 0; n < RECORDS; n++)
            if (&page->of[n] != profile_self)
                /* relaxed: there is one thread only */
                atomic_store_explicit(&page->of[n].taken, false, memory_order_relaxed);
    if (profile_self != PROFILE_NONE)
        profile_self->thread = 0;
}
