/*
 * The list of chunks that marking is given: lists that it refuses, and finding the chunk around an
 * address.
 */
#include "mark.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ARENA UINT64_C(0x7f1200000000)

static size_t nothing(void *context, uint64_t address, void *out, size_t size)
{
    (void)context;
    (void)address;
    (void)out;
    (void)size;
    return 0;
}

static void an_unsound_list_is_refused(void **state)
{
    struct mark_memory memory = {nothing, NULL, NULL, NULL};
    struct mark_chunk overlap[] = {{ARENA, 32}, {ARENA + 16, 8}};
    struct mark_chunk unsorted[] = {{ARENA + 64, 8}, {ARENA, 8}};
    struct mark_chunk odd[] = {{ARENA + 8, 8}};
    struct mark_chunk far[] = {{UINT64_C(1) << 48, 8}};
    struct mark_chunk huge[] = {{ARENA, UINT64_MAX - ARENA}};

    (void)state;
    errno = 0;
    assert_null(mark_open(overlap, 2, &memory, 0));
    assert_int_equal(errno, EINVAL);
    assert_null(mark_open(unsorted, 2, &memory, 0));
    assert_null(mark_open(odd, 1, &memory, 0));
    assert_null(mark_open(far, 1, &memory, 0));
    assert_null(mark_open(huge, 1, &memory, 0));
}

/* Compares the index with a search one by one, for chunks of every distance, also huge ones. */
static void each_address_finds_its_chunk(void **state)
{
    static struct mark_chunk chunks[4096];
    struct mark_memory memory = {nothing, NULL, NULL, NULL};
    uint64_t start = ARENA;
    size_t count = 0;
    unsigned seed = 1;
    struct mark *mark;

    (void)state;
    for (; count < 4096; count++) {
        static const uint64_t sizes[] = {16, 1, 48, 4096, 300000, 5 << 20};
        uint64_t size = sizes[(seed = seed * 1103515245 + 12345) % 97 % 6];

        chunks[count] = (struct mark_chunk){start, size};
        start += (size + 15 + (count % 3) * 4096) & ~UINT64_C(15);
    }
    mark = mark_open(chunks, count, &memory, 0);
    assert_non_null(mark);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(mark_find(mark, chunks[i].start), i);
        assert_int_equal(mark_find(mark, chunks[i].start + chunks[i].size - 1), i);
        assert_int_equal(mark_find(mark, chunks[i].start + chunks[i].size / 2), i);
        if (i + 1 == count || chunks[i + 1].start > chunks[i].start + chunks[i].size)
            assert_int_equal(mark_find(mark, chunks[i].start + chunks[i].size), count);
    }
    assert_int_equal(mark_find(mark, ARENA - 1), count);
    assert_int_equal(mark_find(mark, UINT64_MAX), count);
    mark_close(mark);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unsound_list_is_refused),
        cmocka_unit_test(each_address_finds_its_chunk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
