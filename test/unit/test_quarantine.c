/*
 * The addresses of freed LARGE chunks in hardened mode. Others do not get them for a while, and
 * nobody can touch them. The quarantine is bounded in ranges and in bytes, and nothing is lost
 * where the kernel refuses. Each test runs in a child.
 */
#include "unit/hardened.h"

#include "large/quarantine.h"
#include "os/os.h"

#include <sys/resource.h>

enum { MIB = 1 << 20 };

/* Address space that nothing uses. */
static uintptr_t some_place(size_t size)
{
    void *space = os_reserve(size);

    REQUIRE(space != NULL && os_unmap(space, size), "no address space");
    return (uintptr_t)space;
}

static void keep(void *unused)
{
    uintptr_t start = some_place(MIB);
    size_t before = unit_address_space();
    (void)unused;

    quarantine_keep(start, MIB);
    REQUIRE(unit_protected_so(start, start + MIB, "---p"), "others may have it");
    REQUIRE(unit_address_space() == before + MIB, "more than that");
    REQUIRE(quarantine_empty() == MIB && unit_address_space() == before, "not given back");
    REQUIRE(quarantine_empty() == 0, "given back twice");
}

static void test_a_range_is_kept_and_given_back(void **state)
{
    (void)state;
    run(keep);
}

static void keep_many(void *unused)
{
    size_t before = unit_address_space();
    (void)unused;

    for (unsigned n = 0; n < 10 * QUARANTINE_RANGES; n++)
        quarantine_keep(some_place(MIB), MIB);
    REQUIRE(unit_address_space() <= before + (size_t)QUARANTINE_RANGES * MIB, "too many ranges");
    REQUIRE(unit_address_space() > before + (size_t)QUARANTINE_RANGES / 2 * MIB, "too few ranges");
    quarantine_empty();
    REQUIRE(unit_address_space() == before, "not given back");
}

static void test_the_number_of_ranges_is_bounded(void **state)
{
    (void)state;
    run(keep_many);
}

static void keep_long(void *unused)
{
    size_t size = 4 * (size_t)QUARANTINE_RANGE_BYTES;
    uintptr_t start = some_place(size);
    (void)unused;

    quarantine_keep(start, size);
    REQUIRE(unit_protected_so(start, start + QUARANTINE_RANGE_BYTES, "---p"),
            "its beginning is not kept");
    REQUIRE(quarantine_empty() == QUARANTINE_RANGE_BYTES, "all of it is kept");
}

static void test_only_the_beginning_of_a_long_range_is_kept(void **state)
{
    (void)state;
    run(keep_long);
}

/* Another thread mapped something there first. Its mapping stays, and nothing else is left. */
static void keep_what_is_taken(void *unused)
{
    char *taken = os_map(MIB);
    size_t before = unit_address_space();
    (void)unused;

    REQUIRE(taken != NULL, "no memory");
    taken[5] = 1;
    quarantine_keep((uintptr_t)taken, MIB);
    REQUIRE(unit_address_space() == before && taken[5] == 1, "it is gone, or more is there");
    REQUIRE(quarantine_empty() == 0, "it was kept");
}

static void test_mappings_of_others_stay(void **state)
{
    (void)state;
    run(keep_what_is_taken);
}

static void refuse_reserving(void *unused)
{
    size_t before = unit_address_space();
    uintptr_t start = some_place(MIB);
    (void)unused;

    os_fail_after(1, false);
    quarantine_keep(start, MIB);
    REQUIRE(unit_address_space() == before && quarantine_empty() == 0, "kept, nevertheless");
}

/* What the kernel refuses to unmap goes on waiting, and then nothing more is kept. */
static void refuse_unmapping(void *unused)
{
    size_t before = unit_address_space();
    (void)unused;

    for (unsigned n = 0; n < 100 * QUARANTINE_RANGES; n++)
        quarantine_keep(some_place(MIB), MIB);
    size_t full = unit_address_space();
    uintptr_t start = some_place(2 * MIB);
    os_fail_after(1, true);
    for (unsigned n = 0; n < QUARANTINE_RANGES; n++)
        quarantine_keep(start, 2 * MIB);
    REQUIRE(quarantine_empty() == 0, "given back, nevertheless");
    os_fail_after(0, false);
    REQUIRE(unit_address_space() == full, "something was lost");
    quarantine_empty();
    REQUIRE(unit_address_space() == before, "something was forgotten");
}

static void test_the_kernel_refuses(void **state)
{
    (void)state;
    run(refuse_reserving);
    run(refuse_unmapping);
}

static void limited(void *unused)
{
    uintptr_t start = some_place(MIB);
    (void)unused;

    unit_limit((size_t)1 << 46);
    quarantine_keep(start, MIB);
    REQUIRE(quarantine_empty() == 0, "address space is kept from who has little");
}

static void test_nothing_is_kept_under_a_limit(void **state)
{
    (void)state;
    run(limited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_range_is_kept_and_given_back),
        cmocka_unit_test(test_the_number_of_ranges_is_bounded),
        cmocka_unit_test(test_only_the_beginning_of_a_long_range_is_kept),
        cmocka_unit_test(test_mappings_of_others_stay),
        cmocka_unit_test(test_the_kernel_refuses),
        cmocka_unit_test(test_nothing_is_kept_under_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
