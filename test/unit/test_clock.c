/*
 * The clock: it is the kernel's, in nanoseconds, or counts calls where the kernel offers none.
 */
#include "unit/unit.h"

#include "arena/thread.h"
#include "base/clock.h"
#include "base/secret.h"
#include "bins/bin.h"
#include "os/os.h"

#include <elf.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec now;

    assert_int_equal(clock_gettime(clock, &now), 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void test_it_tells_the_time(void **state)
{
    (void)state;
    uint64_t before, seen, after;

    thread_runtime_init(NULL);
    /* valgrind and some emulators hide the kernel's vDSO. */
    if (getauxval(AT_SYSINFO_EHDR) == 0)
        skip();
    before = nanoseconds(CLOCK_MONOTONIC_COARSE);
    seen = clock_now();
    after = nanoseconds(CLOCK_MONOTONIC_COARSE);
    assert_in_range(seen, before, after);
}

static void without_a_clock(void *argument)
{
    uint64_t first = clock_now(), second = clock_now();

    (void)argument;
    clock_init(NULL);
    /* The value is far from what any clock says, so it is a count. */
    if (first > CLOCK_TENTH || second <= first || second - first > CLOCK_TENTH)
        _exit(1);
    _exit(0);
}

/* As in a process whose first allocation happens before the environment is known. */
static void test_without_a_clock_calls_are_counted(void **state)
{
    (void)state;
    static const uintptr_t nothing[] = {0, AT_PAGESZ, 4096, AT_NULL, 0};
    struct unit_end end;

    /* The auxiliary vector has no entry for the vDSO. */
    clock_init((char **)(uintptr_t)nothing);
    unit_in_child(without_a_clock, NULL, &end);
    assert_int_equal(end.exit_code, 0);
}

/* Allocates each size once, which empties its stack. */
static unsigned ticks_at(struct arena *arena, size_t size, uint64_t next)
{
    unsigned before = arena->bins.ticks;
    void *chunks[100];

    arena->bins.next_tick = next;
    /*
     * Allocates more chunks than the class's first stack holds, so one of these calls is slow. Only
     * a few milliseconds pass.
     */
    for (unsigned n = 0; n < 100; n++)
        chunks[n] = unit_alloc(arena, size);
    for (unsigned n = 0; n < 100; n++)
        unit_free(arena, chunks[n]);
    return arena->bins.ticks - before;
}

static void test_ticks_go_on_when_the_time_jumps(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    uint64_t hour = (uint64_t)36000 * CLOCK_TENTH;

    assert_int_equal(ticks_at(arena, 100, BINS_NO_TICKS), 0);
    assert_true(ticks_at(arena, 200, clock_now() - hour) > 0);
    assert_true(ticks_at(arena, 300, clock_now() + hour) > 0);
    assert_true(ticks_at(arena, 400, 0) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* At first there is no clock. Once the clock is found, it stays. */
        cmocka_unit_test(test_without_a_clock_calls_are_counted),
        cmocka_unit_test(test_it_tells_the_time),
        cmocka_unit_test(test_ticks_go_on_when_the_time_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
