/*
 * Makes the wrong pointers: freed chunks (by whom, and how long ago), addresses inside chunks,
 * foreign addresses.
 */
#include "misuse/pointers.h"

#include "support/require.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct zone {
    const char *name;
    const char *shown;
    size_t size;
};

static const struct zone zones[] = {
    {"tiny", "TINY", 42}, {"small", "SMALL", 3725}, {"large", "LARGE", 484847}};

static void *allocate(size_t size)
{
    void *chunk = malloc(size);
    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    memset(chunk, 0x5A, size);
    return chunk;
}

static void *free_in_thread(void *chunk)
{
    free(chunk);
    return NULL;
}

static void *allocate_in_thread(void *size)
{
    return allocate((size_t)(uintptr_t)size);
}

static void *run_in_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    void *result = NULL;
    REQUIRE(pthread_create(&thread, NULL, function, argument) == 0, "pthread_create failed");
    pthread_join(thread, &result);
    return result;
}

static void *freed_now(const struct zone *zone)
{
    void *chunk = allocate(zone->size);
    free(chunk);
    return chunk; // NOLINT: wrong on purpose
}

static void *freed_by_thread(const struct zone *zone)
{
    void *chunk = allocate(zone->size);
    run_in_thread(free_in_thread, chunk);
    return chunk;
}

static void *freed_for_thread(const struct zone *zone)
{
    void *chunk = run_in_thread(allocate_in_thread, (void *)(uintptr_t)zone->size);
    free(chunk);
    return chunk; // NOLINT: wrong on purpose
}

enum { OWNED = 300 };

static struct {
    size_t size;
    void *chunks[OWNED];
} owned;
static sem_t owner_is_ready;
static sem_t owner_may_end;

static void *own(void *unused)
{
    (void)unused;
    for (size_t n = 0; n < OWNED; n++)
        owned.chunks[n] = allocate(owned.size);
    sem_post(&owner_is_ready);
    while (sem_wait(&owner_may_end) != 0) {
    }
    return NULL;
}

/*
 * A chunk of a thread that is still running, and so still owns it. It waits in this thread's batch,
 * or with `more` in the owner's inbox.
 */
static void *freed_remotely(const struct zone *zone, unsigned more)
{
    pthread_t thread;
    void *chunk;
    REQUIRE(sem_init(&owner_may_end, 0, 0) == 0 && sem_init(&owner_is_ready, 0, 0) == 0,
            "sem_init failed");
    owned.size = zone->size;
    REQUIRE(pthread_create(&thread, NULL, own, NULL) == 0, "pthread_create failed");
    while (sem_wait(&owner_is_ready) != 0) {
    }
    chunk = owned.chunks[OWNED / 2];
    free(chunk);
    /* Every other chunk stays live, so that the slabs stay, too. */
    for (unsigned n = 1; n < more; n += 2)
        if (owned.chunks[n] != chunk)
            free(owned.chunks[n]);
    return chunk; // NOLINT: wrong on purpose
}

static void *freed_in_batch(const struct zone *zone)
{
    return freed_remotely(zone, 3);
}

static void *freed_in_inbox(const struct zone *zone)
{
    return freed_remotely(zone, OWNED);
}

/* Makes ten thousand operations on other sizes in between. */
static void *freed_long_ago(const struct zone *zone)
{
    void *chunk = allocate(zone->size);
    void *held[100] = {0};
    free(chunk);
    for (size_t n = 0; n < 10000; n++) {
        free(held[n % 100]);
        held[n % 100] = allocate(zone->size / 8 + n % 7);
    }
    for (size_t n = 0; n < 100; n++)
        free(held[n]);
    return chunk;
}

/* Chunks on both sides are handed out again; this one is not. */
static void *freed_among_reused(const struct zone *zone)
{
    enum { COUNT = 9 };
    void *chunks[COUNT];
    for (size_t n = 0; n < COUNT; n++)
        chunks[n] = allocate(zone->size);
    free(chunks[COUNT / 2]);
    for (size_t n = 0; n < COUNT; n++)
        if (n != COUNT / 2)
            free(chunks[n]);
    for (size_t n = 0; n < COUNT / 2; n++)
        REQUIRE(allocate(zone->size) != chunks[COUNT / 2], "the oldest free chunk is reused first");
    return chunks[COUNT / 2];
}

/* The place that realloc moved the chunk away from. */
static void *freed_by_realloc(const struct zone *zone)
{
    void *chunk = allocate(zone->size);
    void *wall = allocate(zone->size);
    void *moved = realloc(chunk, zone->size * 40);
    free(wall);
    REQUIRE(moved != NULL, "no memory");
    /* A LARGE chunk may have grown in place. */
    if (moved == chunk)
        free(chunk);
    return chunk; // NOLINT: wrong on purpose
}

static const struct {
    const char *name;
    void *(*make)(const struct zone *zone);
} freed_kinds[] = {
    {"freed", freed_now},
    {"freed-by-thread", freed_by_thread},
    {"freed-for-thread", freed_for_thread},
    {"freed-in-batch", freed_in_batch},
    {"freed-in-inbox", freed_in_inbox},
    {"freed-long-ago", freed_long_ago},
    {"freed-among-reused", freed_among_reused},
    {"freed-by-realloc", freed_by_realloc},
};

static bool make_freed(const char *name, const struct zone *zone, struct wrong_pointer *wrong)
{
    for (size_t i = 0; i < sizeof freed_kinds / sizeof *freed_kinds; i++) {
        if (strcmp(name, freed_kinds[i].name) != 0)
            continue;
        wrong->pointer = freed_kinds[i].make(zone);
        (void)snprintf(wrong->verdict, sizeof wrong->verdict, "double free of %p (%s, ",
                       wrong->pointer, zone->shown);
        /* If LARGE memory grew in place, it was freed with its last size. */
        if (strcmp(name, "freed-by-realloc") != 0 || zone->size <= 262144)
            (void)snprintf(wrong->verdict, sizeof wrong->verdict,
                           "double free of %p (%s, %zu bytes)", wrong->pointer, zone->shown,
                           zone->size);
        return true;
    }
    return false;
}

/* "interior-N" is N bytes behind the chunk's start, or in front of its end if N is negative. */
static bool make_interior(const char *name, const struct zone *zone, struct wrong_pointer *wrong)
{
    if (strncmp(name, "interior", 8) != 0)
        return false;
    long offset = strtol(name + 8, NULL, 10);
    unsigned char *chunk = allocate(zone->size);
    wrong->pointer = chunk + (offset >= 0 ? offset : (long)zone->size + offset);
    (void)snprintf(wrong->verdict, sizeof wrong->verdict,
                   "invalid pointer %p: inside the chunk %p (%s, %zu bytes)", wrong->pointer,
                   (void *)chunk, zone->shown, zone->size);
    return true;
}

bool wrong_pointer_make(const char *name, struct wrong_pointer *wrong)
{
    char kind[40];
    const char *colon = strchr(name, ':');
    if (colon == NULL)
        return wrong_foreign_make(name, wrong);
    size_t length = (size_t)(colon - name);
    if (length >= sizeof kind)
        return false;
    memcpy(kind, name, length);
    kind[length] = '\0';
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
        if (strcmp(colon + 1, zones[i].name) == 0)
            return make_freed(kind, &zones[i], wrong) || make_interior(kind, &zones[i], wrong) ||
                   wrong_between_make(kind, zones[i].shown, zones[i].size, wrong);
    return false;
}
