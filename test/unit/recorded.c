/*
 * The model of the figures, and imagined call sites.
 */
#include "unit/recorded.h"

#include "arena/thread.h"
#include "debug/profile.h"

#include <string.h>

uintptr_t frames[SITES * 4][2] __attribute__((aligned(16)));
struct recorded_model model;

static uint32_t site_number(unsigned site)
{
    return stack_table_site(&frames[site][1], 1, true);
}

struct stack_counters *counters(unsigned site)
{
    return &stack_table_at(site_number(site))->counters;
}

void switch_on(unsigned modes)
{
    atomic_store(&modes_on, modes);
}

/* The same frames with other addresses, so that a test begins with sites that have no figures. */
int recorded_begin(void **state)
{
    (void)state;
    static uintptr_t pc = 0x500000;

    thread_runtime_init(NULL);
    for (unsigned n = 0; n < SITES * 4; n++)
        frames[n][1] = pc += 16;
    model.count = 0;
    model.last = 0;
    model.live_bytes = 0;
    model.peak_bytes = atomic_load(&stack_table) != NULL ? stack_table->totals.peak_bytes : 0;
    memset(model.of, 0, sizeof model.of);
    return profile_record_begin() ? 0 : -1;
}

/* As if the thread had just begun. */
void new_draws(void)
{
    profile_thread_get()->random = 0;
    thread_self.bytes_left = 0;
}

int recorded_end(void **state)
{
    (void)state;
    switch_on(0);
    return 0;
}

void emit(enum event_kind kind, uintptr_t pointer, uintptr_t old, size_t size, unsigned site)
{
    const struct event event = {.kind = kind,
                                .pointer = pointer_to(pointer),
                                .old = pointer_to(old),
                                .size = size,
                                .frame = frames[site],
                                .time = model.time};

    profile_note(&event);
}

static void note_peak(void)
{
    if (model.live_bytes <= model.peak_bytes)
        return;
    model.peak_bytes = model.live_bytes;
    for (unsigned n = 0; n < SITES; n++) {
        model.of[n].peak = model.of[n].live;
        model.of[n].peak_bytes = model.of[n].live_bytes;
    }
}

void model_alloc(uintptr_t address, size_t size, unsigned site)
{
    struct figures *figures = &model.of[site];

    figures->allocations++;
    figures->bytes += size;
    figures->live++;
    figures->live_bytes += size;
    if (figures->live_bytes > figures->most_bytes)
        figures->most_bytes = figures->live_bytes;
    model.live_bytes += size;
    note_peak();
    model.last = address;
    model.chunks[model.count].address = address;
    model.chunks[model.count].size = size;
    model.chunks[model.count].site = site;
    model.chunks[model.count++].time = model.time;
}

void model_free(unsigned n)
{
    struct figures *figures = &model.of[model.chunks[n].site];
    size_t size = model.chunks[n].size;

    figures->freed++;
    figures->live--;
    figures->live_bytes -= size;
    figures->lifetime += model.time - model.chunks[n].time;
    if (model.last == model.chunks[n].address) {
        figures->temporary++;
        figures->temporary_bytes += size;
    }
    model.last = 0;
    model.live_bytes -= size;
    model.chunks[n] = model.chunks[--model.count];
}

uintptr_t new_address(void)
{
    return 0x7000000000 + 16 * ++model.next_address;
}

void allocate(size_t size, unsigned site)
{
    uintptr_t address = new_address();

    emit(EVENT_MALLOC, address, 0, size, site);
    model_alloc(address, size, site);
}

void release(unsigned n)
{
    emit(EVENT_FREE, 0, model.chunks[n].address, 0, 0);
    model_free(n);
}

void resize(unsigned n, size_t size, unsigned site)
{
    uintptr_t old = model.chunks[n].address, new = new_address();

    emit(EVENT_REALLOC_BEGINS, 0, old, size, site);
    emit(EVENT_REALLOC, new, old, size, site);
    model_free(n);
    model_alloc(new, size, site);
}

static uint64_t peak_of(const struct stack_counters *site, bool bytes)
{
    if (site->peak_number == stack_table->totals.peak_number)
        return bytes ? site->peak_bytes : site->peak;
    return bytes ? site->bytes - site->freed_bytes : site->allocations - site->freed;
}

void check_figures(void)
{
    for (unsigned n = 0; n < SITES; n++) {
        const struct figures *right = &model.of[n];
        const struct stack_counters *site = counters(n);

        assert_int_equal(site->samples, right->allocations);
        assert_int_equal(site->allocations, right->allocations);
        assert_int_equal(site->bytes, right->bytes);
        assert_int_equal(site->freed, right->freed);
        assert_int_equal(site->allocations - site->freed, right->live);
        assert_int_equal(site->bytes - site->freed_bytes, right->live_bytes);
        assert_int_equal(site->temporary, right->temporary);
        assert_int_equal(site->temporary_bytes, right->temporary_bytes);
        assert_int_equal(site->lifetime, right->lifetime);
        assert_int_equal(site->most_bytes, right->most_bytes);
        assert_int_equal(peak_of(site, false), right->peak);
        assert_int_equal(peak_of(site, true), right->peak_bytes);
    }
    assert_int_equal(stack_table->totals.live_bytes, model.live_bytes);
    assert_int_equal(stack_table->totals.peak_bytes, model.peak_bytes);
    assert_int_equal(live_table_count(), model.count);
}
