/*
 * What the tests of profiles share: calls that are told by events, from imagined call sites, and a
 * model of the figures that each site should show.
 */
#ifndef FT_TEST_UNIT_RECORDED_H
#define FT_TEST_UNIT_RECORDED_H

#include "unit/unit.h"

#include "debug/event.h"
#include "debug/stack_table.h"

enum { SITES = 8, CHUNKS = 200 };

/* Frames of imagined callers. The walk ends with the first, because this is no stack. */
extern uintptr_t frames[SITES * 4][2];

/* What a site should show. */
struct figures {
    uint64_t allocations, bytes, live, live_bytes, freed, temporary, temporary_bytes, lifetime;
    uint64_t peak, peak_bytes, most_bytes;
};

struct recorded_model {
    struct figures of[SITES];
    uint64_t live_bytes, peak_bytes;
    uint64_t time;
    uintptr_t next_address, last;
    struct {
        uintptr_t address;
        size_t size;
        unsigned site;
        uint64_t time;
    } chunks[CHUNKS];
    unsigned count;
};

extern struct recorded_model model;

/* Setup and teardown of a test: it begins with sites that have no figures, and no mode on. */
int recorded_begin(void **state);
int recorded_end(void **state);

/* Emit an event, and do what the model does for it; or both. */
struct stack_counters *counters(unsigned site);
void switch_on(unsigned modes);
void new_draws(void);
void emit(enum event_kind kind, uintptr_t pointer, uintptr_t old, size_t size, unsigned site);
void model_alloc(uintptr_t address, size_t size, unsigned site);
void model_free(unsigned n);
uintptr_t new_address(void);
void allocate(size_t size, unsigned site);
void release(unsigned n);
void resize(unsigned n, size_t size, unsigned site);
void check_figures(void);

#endif
