/*
 * Fills the library's tables of stacks and of live chunks with figures that test_tables.py can
 * compute, too, and does what its input says: "break SEED COUNT" writes to random words of the
 * tables, as a broken or hostile file would have them. It answers each line with "ok".
 */
#include "base/clock.h"
#include "debug/live_table.h"
#include "debug/stack_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SITES = 300, CHUNKS = 2000 };

static void set(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store(counter, value);
}

/* A site with 1 to 30 frames; each is a thousand times the site's number, and more. */
static uint32_t make_site(uint64_t i)
{
    uintptr_t pcs[30];
    unsigned depth = (unsigned)(i % 30) + 1;

    for (unsigned j = 0; j < depth; j++)
        pcs[j] = (i + 1) * 1000 + j + 1;
    return stack_table_site(pcs, depth, i % 3 == 0);
}

static void fill_site(uint64_t i, uint64_t peak_number)
{
    struct stack_counters *counters = &stack_table_at(make_site(i))->counters;

    set(&counters->allocations, 10 + i);
    set(&counters->bytes, (10 + i) * 100);
    set(&counters->freed, i);
    set(&counters->freed_bytes, i * 100);
    set(&counters->temporary, i / 2);
    set(&counters->temporary_bytes, i / 2 * 100);
    set(&counters->lifetime, i * 1000000);
    set(&counters->most, 20);
    set(&counters->most_bytes, 2000);
    /* Every second site has changed since the peak. */
    if (i % 2 == 0) {
        set(&counters->peak, 15);
        set(&counters->peak_bytes, 1500);
        set(&counters->peak_number, peak_number);
    }
}

/*
 * Leaves an entry that is free, with a size that is nowhere else: the word is made of the process's
 * number, so it is not a constant of the program either.
 */
static bool leave_free_entry(void)
{
    uint64_t word = UINT64_C(0x7eed5a1e00000000) + (uint64_t)getpid();
    struct live_chunk old, chunk = {.address = 0x8000, .size = word, .bytes = word, .count = 1};

    return live_table_add(&chunk, &old) && live_table_remove(chunk.address, &old) &&
           old.size == word;
}

static bool fill(void)
{
    struct stack_table *table;
    struct live_chunk old;

    if (!stack_table_begin(MODE_RECORD) || !live_table_begin(MODE_RECORD))
        return false;
    table = atomic_load(&stack_table);
    set(&table->totals.interval, 1);
    set(&table->totals.peak_number, 7);
    for (uint64_t i = 0; i < SITES; i++)
        fill_site(i, 7);
    for (uint64_t c = 0; c < CHUNKS; c++) {
        struct live_chunk chunk = {.address = 0x10000 + c * 16,
                                   .size = 100,
                                   .bytes = 100,
                                   .count = 1,
                                   .time = clock_now(),
                                   .site = make_site(c % SITES),
                                   .thread = (uint32_t)(c % 4) + 1};

        if (!live_table_add(&chunk, &old))
            return false;
    }
    return leave_free_entry();
}

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state += 0x9e3779b97f4a7c15U;
    return (random_state ^ random_state >> 31) * 0xbf58476d1ce4e5b9U;
}

/* A word that is random, huge, small, or an address of the tables themselves. */
static uint64_t bad_word(void)
{
    uint64_t random = next_random() >> 8;

    switch (random % 5) {
    case 0:
        return UINT64_MAX;
    case 1:
        return random % 100000;
    case 2:
        return (uintptr_t)atomic_load(&stack_table) + random % 65536;
    case 3:
        return random << 8;
    default:
        return 0;
    }
}

/* Where the words are that a reader follows: the root, the blocks of sites, nodes and chunks. */
static uint64_t *random_place(void)
{
    struct stack_table *table = atomic_load(&stack_table);
    struct live_root *live = atomic_load(&live_table);
    uint64_t random = next_random() >> 8;
    char *bases[] = {(char *)table,
                     (char *)table->site_blocks,
                     (char *)table->node_blocks,
                     atomic_load(&table->site_blocks[0]),
                     atomic_load(&table->site_blocks[0]),
                     atomic_load(&table->node_blocks[0]),
                     (char *)live->blocks,
                     (char *)atomic_load(&live->blocks[3][0])};
    static const size_t sizes[] = {
        sizeof(struct stack_totals) + 8, 64, 64, 16384, 16384, 16384, sizeof(live->blocks), 3072};
    unsigned which = (unsigned)(random % (sizeof(sizes) / sizeof(*sizes)));

    /* A block whose pointer is broken already is not there to be broken. */
    if ((uintptr_t)bases[which] < 1 << 16 || (uintptr_t)bases[which] >> 47 != 0 || which == 4)
        which = 0;
    return (uint64_t *)(void *)(bases[which] + (random >> 8) % (sizes[which] / 8) * 8);
}

/* All places are chosen before the first word is written, so that they are still there. */
static void break_words(uint64_t seed, unsigned count)
{
    static uint64_t *places[1000];

    random_state = seed;
    count = count < 1000 ? count : 1000;
    for (unsigned i = 0; i < count; i++)
        places[i] = random_place();
    for (unsigned i = 0; i < count; i++)
        *places[i] = bad_word();
}

int main(void)
{
    char line[64];
    uint64_t seed;
    unsigned count;

    if (!fill())
        return 1;
    do {
        printf("ok\n");
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) == NULL)
            break;
        if (sscanf(line, "break %" SCNu64 " %u", &seed, &count) == 2)
            break_words(seed, count);
    } while (strcmp(line, "quit\n") != 0);
    _Exit(0);
}
