/*
 * Remote frees of a program that misuses memory: writes to the parcels that carry addresses, and
 * frees by two threads at once.
 */
#include "unit/remote.h"
#include "unit/unit.h"

#include "arena/remote.h"
#include "arena/thread.h"
#include "base/options.h"
#include "support/require.h"

#include <signal.h>
#include <string.h>

/* How a program writes to chunks that another thread has freed. */
struct corruption {
    size_t size;
    unsigned victim; /* which of the freed chunks */
    size_t offset;
    unsigned char bytes[8];
    bool before_more; /* how many chunks it frees after that */
};

static void corrupt(void *argument)
{
    const struct corruption *corruption = argument;
    struct arena *self = unit_arena(), *owner = unit_arena();
    char *chunks[20];

    for (unsigned n = 0; n < 20; n++)
        chunks[n] = unit_alloc(owner, corruption->size);
    for (unsigned n = 0; n < 20; n++) {
        if (n == corruption->victim + 1 && corruption->before_more)
            memcpy(chunks[corruption->victim] + corruption->offset, corruption->bytes, 8);
        free_remotely(self, chunks[n]);
    }
    if (!corruption->before_more)
        memcpy(chunks[corruption->victim] + corruption->offset, corruption->bytes, 8);
    remote_send_all(self);
    remote_receive_all(owner);
}

static const struct corruption corruptions[] = {
    /*
     * Overwrites the address of a chunk with no address at all, or with that of a chunk that is
     * not freed.
     */
    {256, 0, 16, "\x41\x41\x41\x41\x41\x41\x41\x41", false},
    {256, 0, 24, "\0\0\0\0\0\0\0", false},
    {4096, 0, 16, "\xff\xff\xff\xff\xff\xff\xff\xff", false},
    /* Overwrites the number of chunks, in a parcel that is full. */
    {64, 0, 8, "\x41\x41\x41\x41\x41\x41\x41\x41", false},
    /*
     * Overwrites the link to the next parcel. Among chunks of 16 bytes each is a parcel, among
     * those of 64 bytes every seventh.
     */
    {16, 7, 0, "\x41\x41\x41\x41\x41\x41\x41\x41", false},
    {64, 7, 0, "\x10\0\0\0\0\0\0", false},
    /*
     * Overwrites it while the parcel is being filled. The words are kept elsewhere then, so no
     * harm is done.
     */
    {256, 0, 8, "\x41\x41\x41\x41\x41\x41\x41\x41", true},
    {256, 0, 8, "\xff\xff\xff\xff\xff\xff\xff\xff", true},
};

static void test_a_parcel_that_was_written_to_is_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof corruptions / sizeof corruptions[0]; i++) {
        struct corruption one = corruptions[i];
        struct unit_end end;

        unit_in_child(corrupt, &one, &end);
        if (one.before_more) {
            assert_int_equal(end.exit_code, 0);
            continue;
        }
        if (end.signal != SIGABRT ||
            strstr(end.err, "ft_malloc: memory written to after free") != end.err)
            print_error("case %zu: exit code %d, signal %d, stderr: %s\n", i, end.exit_code,
                        end.signal, end.err);
        assert_int_equal(end.signal, SIGABRT);
        assert_ptr_equal(strstr(end.err, "ft_malloc: memory written to after free"), end.err);
        assert_int_equal(end.err_lines, 1);
    }
}

/* What is overwritten in the parcel of six others, and how many of these are lost by that. */
struct loss {
    size_t offset;
    size_t chunks;
};

static void corrupt_and_go_on(void *argument)
{
    const struct loss *loss = argument;
    struct arena *self = unit_arena(), *owner = unit_arena();
    char *chunks[20];

    options.report_only = true;
    for (unsigned n = 0; n < 20; n++)
        chunks[n] = unit_alloc(owner, 64);
    for (unsigned n = 0; n < 20; n++)
        free_remotely(self, chunks[n]);
    memset(chunks[0] + loss->offset, 0x41, 8);
    remote_send_all(self);
    remote_receive_all(owner);
    /* The chunks whose addresses were overwritten are lost; the owner got the others. */
    REQUIRE(unit_count_state(owner, STATE_REMOTE) == loss->chunks, "%zu chunks are on their way",
            unit_count_state(owner, STATE_REMOTE));
    for (unsigned n = 0; n < 1000; n++)
        memset(unit_alloc(owner, 64), 0, 64);
}

static void test_in_report_mode_the_owner_gets_the_rest(void **state)
{
    (void)state;
    /* An address; the number of addresses. */
    struct loss losses[] = {{16, 1}, {8, 6}};

    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        struct unit_end end;

        unit_in_child(corrupt_and_go_on, &losses[i], &end);
        assert_int_equal(end.exit_code, 0);
        assert_int_equal(end.err_lines, 1);
    }
}

static void free_twice_at_once(void *argument)
{
    const bool *report = argument;
    struct arena *self[2] = {unit_arena(), unit_arena()}, *owner = unit_arena();
    struct chunk chunk = unit_chunk(unit_alloc(owner, 100));

    /* Two threads free the chunk, and both saw it live. */
    options.report_only = *report;
    remote_free(self[0], &chunk);
    remote_free(self[1], &chunk);
    remote_send_all(self[0]);
    remote_receive_all(owner);
    remote_send_all(self[1]);
    remote_receive_all(owner);
    REQUIRE(unit_alloc(owner, 100) != unit_alloc(owner, 100), "a chunk was handed out twice");
}

static void test_a_chunk_freed_by_two_threads_at_once_is_reported(void **state)
{
    (void)state;
    struct unit_end end;
    bool report = false;

    unit_in_child(free_twice_at_once, &report, &end);
    assert_int_equal(end.signal, SIGABRT);
    assert_non_null(strstr(end.err, "freed twice at once"));
    report = true;
    unit_in_child(free_twice_at_once, &report, &end);
    assert_int_equal(end.exit_code, 0);
    assert_int_equal(end.err_lines, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_parcel_that_was_written_to_is_reported),
        cmocka_unit_test(test_in_report_mode_the_owner_gets_the_rest),
        cmocka_unit_test(test_a_chunk_freed_by_two_threads_at_once_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
