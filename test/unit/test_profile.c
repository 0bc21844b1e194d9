/*
 * Records, told of calls by events: the figures of each site against those of a model.
 */
#include "unit/recorded.h"

#include "debug/profile.h"
#include "support/rng.h"

#include <string.h>

/* Sites come and go in turn, so that each has its own figures at each peak. */
static void test_a_record_is_exact(void **state)
{
    (void)state;
    struct rng rng = {1};

    switch_on(MODE_RECORD);
    for (unsigned n = 0; n < 30000; n++) {
        unsigned action = (unsigned)rng_below(&rng, 100);
        bool grows = n / 1000 % 3 != 2;

        model.time += rng_below(&rng, 1000);
        if (model.count == 0 || (model.count < CHUNKS && action < (grows ? 60U : 30U)))
            allocate(rng_below(&rng, 5000), (unsigned)rng_below(&rng, SITES));
        else if (action < 90)
            release(action % 10 == 0 ? model.count - 1 : (unsigned)rng_below(&rng, model.count));
        else
            resize((unsigned)rng_below(&rng, model.count), rng_below(&rng, 5000),
                   (unsigned)rng_below(&rng, SITES));
        if (n % 1000 == 0)
            check_figures();
    }
    check_figures();
    for (unsigned n = 0; n < SITES; n++)
        assert_true(model.of[n].temporary > 0 && model.of[n].peak > 0);
}

static void test_temporary_ones_are_freed_by_the_next_call(void **state)
{
    (void)state;
    switch_on(MODE_RECORD);
    allocate(100, 0);
    release(0);
    allocate(100, 1);
    allocate(50, 2);
    release(0); /* the one of site 1; then that of site 2 is not temporary */
    release(0);
    allocate(20, 3);
    emit(EVENT_FREE, 0, 0x1230, 0, 0); /* one that nobody has noted */
    model.last = 0;
    release(0);
    check_figures();
    assert_int_equal(counters(0)->temporary, 1);
    assert_int_equal(counters(0)->temporary_bytes, 100);
    for (unsigned site = 1; site <= 3; site++)
        assert_int_equal(counters(site)->temporary, 0);
}

/* They were allocated before the mode began. */
static void test_unknown_chunks_are_no_error(void **state)
{
    (void)state;
    uintptr_t resized = new_address();

    switch_on(MODE_RECORD);
    emit(EVENT_FREE, 0, 0x1230, 0, 0);
    emit(EVENT_FREE, 0, 0, 0, 0);
    emit(EVENT_REALLOC_BEGINS, 0, 0x4560, 100, 1);
    emit(EVENT_REALLOC, resized, 0x4560, 100, 1);
    model_alloc(resized, 100, 1);
    check_figures();
}

static void test_realloc_in_all_forms(void **state)
{
    (void)state;
    uintptr_t address = new_address();

    switch_on(MODE_RECORD);
    /* of NULL */
    emit(EVENT_REALLOC, address, 0, 100, 0);
    model_alloc(address, 100, 0);
    check_figures();
    /* that fails: nothing has changed */
    emit(EVENT_REALLOC_BEGINS, 0, address, SIZE_MAX / 4, 1);
    emit(EVENT_REALLOC, 0, address, SIZE_MAX / 4, 1);
    check_figures();
    /* in place */
    emit(EVENT_REALLOC_BEGINS, 0, address, 200, 1);
    emit(EVENT_REALLOC, address, address, 200, 1);
    model_free(0);
    model_alloc(address, 200, 1);
    check_figures();
    /* to 0 bytes, which frees */
    emit(EVENT_REALLOC_BEGINS, 0, address, 0, 1);
    emit(EVENT_REALLOC, 0, address, 0, 1);
    model_free(0);
    check_figures();
}

/*
 * realloc() has moved the chunk, and another thread gets its address before the event. So the old
 * chunk is forgotten before the move.
 */
static void test_the_old_address_may_be_taken_at_once(void **state)
{
    (void)state;
    uintptr_t moved = new_address();

    switch_on(MODE_RECORD);
    allocate(100, 0);
    emit(EVENT_REALLOC_BEGINS, 0, model.chunks[0].address, 300, 1);
    profile_self->last = 0;
    emit(EVENT_MALLOC, model.chunks[0].address, 0, 40, 2);
    emit(EVENT_REALLOC, moved, model.chunks[0].address, 300, 1);
    assert_int_equal(live_table_count(), 2);
    assert_int_equal(counters(0)->freed, 1);
    assert_int_equal(counters(2)->freed, 0);
    emit(EVENT_FREE, 0, model.chunks[0].address, 0, 0);
    emit(EVENT_FREE, 0, moved, 0, 0);
    assert_int_equal(counters(2)->freed, 1);
    assert_int_equal(counters(1)->freed, 1);
    assert_int_equal(live_table_count(), 0);
}

/* A free was missed, and the address is another chunk's now. */
static void test_a_missed_free_is_made_good(void **state)
{
    (void)state;
    uintptr_t address = new_address();

    switch_on(MODE_RECORD);
    emit(EVENT_MALLOC, address, 0, 100, 0);
    emit(EVENT_MALLOC, address, 0, 60, 1);
    assert_int_equal(counters(0)->freed, 1);
    assert_int_equal(counters(0)->freed_bytes, 100);
    assert_int_equal(stack_table->totals.live_bytes, 60);
    /* What lived when a record was off is forgotten, because its free may not have been seen. */
    assert_true(profile_record_begin());
    assert_int_equal(counters(1)->freed, 1);
    assert_int_equal(stack_table->totals.live_bytes, 0);
    assert_int_equal(live_table_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_record_is_exact, recorded_begin, recorded_end),
        cmocka_unit_test_setup_teardown(test_temporary_ones_are_freed_by_the_next_call,
                                        recorded_begin, recorded_end),
        cmocka_unit_test_setup_teardown(test_unknown_chunks_are_no_error, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_realloc_in_all_forms, recorded_begin, recorded_end),
        cmocka_unit_test_setup_teardown(test_the_old_address_may_be_taken_at_once, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_a_missed_free_is_made_good, recorded_begin,
                                        recorded_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
