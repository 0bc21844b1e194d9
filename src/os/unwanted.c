/*
 * A list without a lock. Memory holds its own record. Address space that cannot be touched has one
 * of a few spare records.
 */
#include "os/unwanted.h"

#include "os/os.h"

#include <stdatomic.h>

struct unwanted {
    struct unwanted *next;
    void *address;
    size_t size;
};

enum { SPARE_RECORDS = 4 };

static _Atomic(struct unwanted *) unwanted;
static struct unwanted spare[SPARE_RECORDS];
/* Written by any thread. Acquire and release: who takes a record comes after who used it before. */
static _Atomic bool spare_in_use[SPARE_RECORDS];

static void keep(struct unwanted *record)
{
    /* Relaxed: the exchange checks it. */
    record->next = atomic_load_explicit(&unwanted, memory_order_relaxed);
    /* Release: the thread that takes the list sees the records. */
    while (!atomic_compare_exchange_weak_explicit(&unwanted, &record->next, record,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

void unwanted_unmap(void *address, size_t size)
{
    struct unwanted *record = address;

    if (os_unmap(address, size))
        return;
    record->address = address;
    record->size = size;
    keep(record);
}

bool unwanted_unmap_space(void *address, size_t size)
{
    if (os_unmap(address, size))
        return true;
    for (unsigned n = 0; n < SPARE_RECORDS; n++)
        if (!atomic_exchange_explicit(&spare_in_use[n], true, memory_order_acquire)) {
            spare[n].address = address;
            spare[n].size = size;
            keep(&spare[n]);
            break;
        }
    return false;
}

/* A record in the memory that it describes is gone with it. */
static void retry(struct unwanted *record)
{
    size_t n = ((uintptr_t)record - (uintptr_t)spare) / sizeof *record;

    if (!os_unmap(record->address, record->size))
        keep(record);
    else if (n < SPARE_RECORDS)
        atomic_store_explicit(&spare_in_use[n], false, memory_order_release);
}

bool unwanted_gone(void)
{
    struct unwanted *next;

    /* Relaxed: it only tells whether there is a list to take; the exchange below acquires it. */
    if (likely(atomic_load_explicit(&unwanted, memory_order_relaxed) == NULL))
        return true;
    for (struct unwanted *record = atomic_exchange_explicit(&unwanted, NULL, memory_order_acquire);
         record != NULL; record = next) {
        next = record->next;
        retry(record);
    }
    return atomic_load_explicit(&unwanted, memory_order_relaxed) == NULL;
}
