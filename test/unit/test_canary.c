/*
 * The canary behind a chunk, and the check of free memory before a chunk is handed out.
 */
#include "unit/unit.h"

#include "arena/thread.h"
#include "base/canary.h"
#include "support/pattern.h"

/*
 * The canary is stored at the right place, a change of any of its bytes is noticed, and it contains
 * no zero byte.
 */
static void check_canary(char *chunk, size_t requested, size_t usable)
{
    uintptr_t at = (uintptr_t)chunk;
    size_t length = canary_length(requested, usable);
    size_t slack = usable - requested;

    assert_true(slack <= CANARY_MAX ? length == slack
                                    : length > CANARY_MAX - 8 && length <= CANARY_MAX);
    memset(chunk, 0, usable + 16);
    canary_set(at, requested, usable);
    assert_int_equal(pattern_first_nonzero(chunk, requested), requested);
    assert_int_equal(
        pattern_first_nonzero(chunk + requested + length, usable + 16 - requested - length),
        usable + 16 - requested - length);
    assert_true(canary_intact(at, requested, usable));
    for (size_t offset = requested; offset < requested + length; offset++) {
        assert_int_not_equal(chunk[offset], 0);
        chunk[offset] ^= 1;
        assert_false(canary_intact(at, requested, usable));
        chunk[offset] ^= 1;
    }
    canary_wipe(at, requested, usable);
    assert_int_equal(pattern_first_nonzero(chunk, usable), usable);
}

static void test_every_byte_of_a_canary_counts(void **state)
{
    (void)state;
    static _Alignas(16) char chunk[512];

    for (size_t requested = 0; requested < 300; requested++)
        for (size_t usable = requested / 16 * 16 + 16; usable < requested + 200; usable += 16)
            check_canary(chunk, requested, usable);
}

/*
 * The bytes behind the canary are zero, as far as the check looks, and canary_mend() restores them.
 */
static void test_the_slack_behind_a_canary_is_zero(void **state)
{
    (void)state;
    enum { REQUESTED = 100 };
    static _Alignas(16) char chunk[REQUESTED + CANARY_SLACK_MAX + 76];
    uintptr_t at = (uintptr_t)chunk;

    size_t end = (size_t)(canary_end(at, REQUESTED, sizeof chunk) - chunk);

    assert_true(end >= REQUESTED + CANARY_SLACK_MAX && end < sizeof chunk);
    canary_set(at, REQUESTED, sizeof chunk);
    for (size_t offset = REQUESTED; offset < sizeof chunk; offset++) {
        char was = chunk[offset];

        chunk[offset] = (char)(was ^ 1);
        assert_int_equal(canary_intact(at, REQUESTED, sizeof chunk), offset >= end);
        canary_mend(at, REQUESTED, sizeof chunk);
        assert_true(canary_intact(at, REQUESTED, sizeof chunk));
        chunk[offset] = was;
    }
    canary_wipe(at, REQUESTED, sizeof chunk);
    assert_int_equal(pattern_first_nonzero(chunk, sizeof chunk), sizeof chunk);
}

/* Wiping clears a write at any place, whether or not the chunk begins at a page. */
static void test_a_chunk_of_many_pages_is_wiped(void **state)
{
    (void)state;
    static _Alignas(OS_PAGE) char pages[6 * OS_PAGE];

    for (size_t start = 0; start < 2 * OS_PAGE; start += 1040)
        for (size_t requested = 2 * OS_PAGE - 16; requested < 3 * OS_PAGE; requested += 997)
            for (size_t offset = 0; offset < requested; offset += 61) {
                char *chunk = pages + start;
                size_t usable = requested / 16 * 16 + 16;

                chunk[usable] = 1;
                chunk[offset] = 1;
                canary_set((uintptr_t)chunk, requested, usable);
                canary_wipe((uintptr_t)chunk, requested, usable);
                assert_int_equal(pattern_first_nonzero(pages, sizeof pages), start + usable);
                chunk[usable] = 0;
            }
}

/* Two canaries that leak do not reveal the keys, because only half of the hash is stored. */
static void test_a_canary_reveals_only_half_of_the_hash(void **state)
{
    (void)state;
    for (uintptr_t chunk = 4096; chunk < 8192; chunk += 16)
        assert_int_equal(canary_word(chunk) >> 32, canary_word(chunk) & UINT32_MAX);
}

static void test_canaries_of_chunks_differ(void **state)
{
    (void)state;
    for (uintptr_t chunk = 4096; chunk < 8192; chunk += 16)
        assert_int_not_equal(canary_word(chunk), canary_word(chunk + 16));
}

static void test_every_byte_is_checked_before_reuse(void **state)
{
    (void)state;
    static _Alignas(16) char chunk[2 * CANARY_ZERO_MAX];

    for (size_t usable = 16; usable <= sizeof chunk; usable += 16)
        for (size_t offset = 0; offset<usable; offset += usable> 256 ? 13 : 1) {
            chunk[offset] = 1;
            assert_int_equal(canary_zero((uintptr_t)chunk, usable), offset >= CANARY_ZERO_MAX);
            chunk[offset] = 0;
            assert_true(canary_zero((uintptr_t)chunk, usable));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_of_a_canary_counts),
        cmocka_unit_test(test_the_slack_behind_a_canary_is_zero),
        cmocka_unit_test(test_a_chunk_of_many_pages_is_wiped),
        cmocka_unit_test(test_a_canary_reveals_only_half_of_the_hash),
        cmocka_unit_test(test_canaries_of_chunks_differ),
        cmocka_unit_test(test_every_byte_is_checked_before_reuse),
    };

    thread_runtime_init(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
