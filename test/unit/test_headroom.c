/*
 * Headroom of LARGE chunks: the account of mappings and of address space that it draws on.
 */
#include "unit/unit.h"

#include "base/mappings.h"
#include "large/headroom.h"
#include "large/large.h"
#include "os/os.h"

/*
 * Each chunk that grows costs the kernel two mappings. When many are in use, optional ones are not
 * made any more.
 */
static void test_with_many_mappings_there_is_no_headroom(void **state)
{
    (void)state;
    unsigned before;
    void *growing, *plain;

    large_trim();
    before = mappings_used();
    mappings_bound(before + 2);
    assert_non_null(growing = large_try_growing(100000));
    assert_int_equal(mappings_used(), before + 2);
    assert_null(large_try_growing(100000));
    assert_non_null(plain = large_alloc_growing(1000000, &(bool){false}));
    assert_int_equal(mappings_used(), before + 2);
    assert_true(large_resize((uintptr_t)growing, 400000));
    assert_int_equal(large_free((uintptr_t)growing, false), LARGE_FREED);
    assert_int_equal(mappings_used(), before);
    mappings_bound(0);
    assert_int_equal(large_free((uintptr_t)plain, false), LARGE_FREED);
    /* The unmapping may have cut a mapping in two. */
    assert_in_range(mappings_used(), before, before + 1);
}

static void test_refused_headroom_is_not_counted(void **state)
{
    (void)state;
    unsigned before;

    large_trim();
    before = mappings_used();
    for (unsigned long n = 1; n <= 4; n++) {
        void *growing;

        os_fail_after(n, false);
        growing = large_try_growing(500000);
        os_fail_after(0, false);
        assert_int_equal(mappings_used(), before + (growing != NULL ? 2 : 0));
        if (growing != NULL)
            assert_int_equal(large_free((uintptr_t)growing, false), LARGE_FREED);
        assert_int_equal(mappings_used(), before);
    }
}

/* However many and however large the chunks are, each takes a part of the headroom that is left. */
static void test_headroom_takes_a_bounded_part_of_the_address_space(void **state)
{
    (void)state;
    static const size_t mapped = (size_t)256 << 20;
    enum { MOST = 4096 };
    static size_t promised[MOST];
    unsigned count = 0;
    size_t all = 0;

    for (size_t headroom;
         count < MOST && (headroom = headroom_take(mapped, headroom_ample(mapped))) != 0;) {
        assert_true(headroom >= mapped);
        promised[count] = mapped + headroom;
        all += promised[count++];
    }
    assert_in_range(count, 1, MOST - 1);
    /* A sixteenth of the address space, whose size the stack's address shows. */
    assert_true(all <= ((size_t)2 << (63 - __builtin_clzl((uintptr_t)&count))) / 16);
    while (count > 0)
        headroom_give(promised[--count]);
    assert_int_equal(headroom_take(mapped, mapped), mapped);
    headroom_give(2 * mapped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_many_mappings_there_is_no_headroom),
        cmocka_unit_test(test_refused_headroom_is_not_counted),
        cmocka_unit_test(test_headroom_takes_a_bounded_part_of_the_address_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
