/*
 * FT_MALLOC_GUARD through the public functions: guarded chunks are chunks like others for each of
 * them, whichever way they come and go. Each test runs in a child, because the mode cannot be taken
 * back.
 */
#include "api/guarded.h"

#include "base/options.h"
#include "os/os.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/shown.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { HELD = 40 };

static void check(const void *pointer, size_t size)
{
    struct ft_malloc_chunk chunk;

    REQUIRE(guarded(pointer), "%zu bytes are not guarded", size);
    REQUIRE(ft_malloc_find(pointer, &chunk, sizeof chunk) == FT_MALLOC_LIVE &&
                chunk.pointer == pointer && chunk.requested == size && chunk.usable == size,
            "%zu bytes are not found", size);
    REQUIRE(ft_malloc_bounds(pointer).start == pointer && ft_malloc_bounds(pointer).size == size,
            "%zu bytes have other bounds", size);
}

static void take_by_all(void *unused)
{
    void *chunks[9];
    char zero[100] = {0};
    (void)unused;

    begin(1);
    chunks[0] = ft_malloc(42);
    chunks[1] = ft_calloc(10, 10);
    chunks[2] = ft_realloc(NULL, 5000);
    chunks[3] = ft_aligned_alloc(4096, 8192);
    chunks[4] = ft_memalign(64, 10);
    REQUIRE(ft_posix_memalign(&chunks[5], 1 << 16, 1) == 0, "no memory");
    chunks[6] = ft_valloc(3);
    chunks[7] = ft_malloc(300000);
    chunks[8] = ft_malloc(0);
    check(chunks[0], 42);
    check(chunks[1], 100);
    check(chunks[2], 5000);
    check(chunks[3], 8192);
    check(chunks[4], 10);
    check(chunks[5], 1);
    check(chunks[6], 3);
    check(chunks[7], 300000);
    check(chunks[8], 0);
    REQUIRE(memcmp(chunks[1], zero, 100) == 0, "calloc() is not zero");
    REQUIRE((uintptr_t)chunks[5] % (1 << 16) == 0 && (uintptr_t)chunks[3] % 4096 == 0, "aligned");
    ft_free_sized(chunks[0], 42);
    ft_free_aligned_sized(chunks[3], 4096, 8192);
    ft_cfree(chunks[1]);
    REQUIRE(ft_malloc_find(chunks[0], NULL, 0) == FT_MALLOC_FREED, "not freed");
    for (unsigned n = 0; n < 9; n++)
        if (n != 0 && n != 1 && n != 3)
            ft_free(chunks[n]);
    REQUIRE(!guarded(ft_malloc(1 << 20)), "larger than a slot");
}

static void test_every_function(void **state)
{
    (void)state;
    run(take_by_all);
}

static void test_every_function_hardened(void **state)
{
    (void)state;
    options.harden = true;
    run(take_by_all);
    options.harden = false;
}

static void resize(void *unused)
{
    static const size_t sizes[] = {10, 20, 5000, 70000, 400000, 2000000, 500000, 3, 900, 1};
    char *chunk = NULL;
    size_t size = 0;
    (void)unused;

    begin(2);
    for (unsigned n = 0; n < 10; n++) {
        char *moved = ft_realloc(chunk, sizes[n]);
        size_t kept = size < sizes[n] ? size : sizes[n];

        REQUIRE(moved != NULL && filled(moved, kept, n), "%zu bytes are not kept", kept);
        REQUIRE(!guarded(chunk) || ft_malloc_find(chunk, NULL, 0) == FT_MALLOC_FREED, "not freed");
        chunk = moved;
        size = sizes[n];
        fill(chunk, size, n + 1);
    }
    REQUIRE(ft_realloc(chunk, 0) == NULL, "not freed");
}

static void test_resizing(void **state)
{
    (void)state;
    run(resize);
}

static void test_resizing_hardened(void **state)
{
    (void)state;
    options.harden = true;
    run(resize);
    options.harden = false;
}

/* Without memory, a chunk that shrinks stays, and one that grows is as it was. */
static void resize_without_memory(void *unused)
{
    char *chunk;
    (void)unused;

    begin(1);
    chunk = ft_malloc(600000);
    fill(chunk, 600000, 1);
    os_fail_after(1, true);
    errno = 0;
    REQUIRE(ft_realloc(chunk, 700000) == NULL && errno == ENOMEM, "there is memory");
    errno = 0;
    REQUIRE(ft_realloc(chunk, 500000) == chunk && errno == 0, "does not stay");
    os_fail_after(0, false);
    check(chunk, 500000);
    REQUIRE(filled(chunk, 500000, 1), "changed");
    ft_free(chunk);
}

static void test_resizing_without_memory(void **state)
{
    (void)state;
    run(resize_without_memory);
}

/* Each system call fails once: the chunk is another one, or free, and nothing is lost. */
static void refuse_each(void *unused)
{
    (void)unused;
    begin(1);
    for (unsigned long call = 1; call < 40; call++) {
        char *chunk;

        os_fail_after(call, false);
        for (unsigned n = 0; n < 5; n++) {
            chunk = ft_malloc(3000);
            REQUIRE(chunk != NULL, "no memory at call %lu", call);
            fill(chunk, 3000, n);
            chunk = ft_realloc(chunk, 6000);
            REQUIRE(chunk != NULL && filled(chunk, 3000, n), "lost at call %lu", call);
            ft_free(chunk);
            REQUIRE(ft_malloc_find(chunk, NULL, 0) == FT_MALLOC_FREED, "not freed");
        }
        os_fail_after(0, false);
    }
    REQUIRE(ft_malloc_check() == 0, "a fault");
}

static void test_failures_of_the_kernel(void **state)
{
    (void)state;
    run(refuse_each);
}

static void look(void *unused)
{
    struct ft_malloc_stats before, after;
    char *chunks[HELD];
    unsigned count = 0;
    struct shown shown;
    struct capture capture;
    (void)unused;

    begin(1);
    ft_malloc_stats(&before, sizeof before);
    for (unsigned n = 0; n < HELD; n++)
        chunks[n] = ft_malloc(100 * n);
    ft_malloc_stats(&after, sizeof after);
    REQUIRE(after.chunks[0] - before.chunks[0] == 10 && after.chunks[1] - before.chunks[1] == 30,
            "%zu and %zu chunks", after.chunks[0], after.chunks[1]);
    REQUIRE(after.requested[0] - before.requested[0] == 4500, "bytes");
    REQUIRE(ft_malloc_visit(count_guarded, &count) == 0 && count == HELD, "%u visited", count);
    capture_open(&capture, STDOUT_FILENO);
    capture_call(&capture, show_alloc_mem);
    REQUIRE(shown_parse(&shown, capture.text, capture.length), "%s", shown.error);
    for (unsigned n = 0; n < HELD; n++)
        REQUIRE(shown_find(&shown, chunks[n])->size == 100 * n, "not shown");
    REQUIRE(ft_malloc_check() == 0, "a fault");
    for (unsigned n = 0; n < HELD; n++)
        ft_free(chunks[n]);
}

static void test_what_looks_at_everything(void **state)
{
    (void)state;
    run(look);
}

static char *misused;

static void free_twice(void *unused)
{
    (void)unused;
    begin(1);
    misused = ft_malloc(42);
    ft_free(misused);
    ft_free(misused);
}

static void free_inside(void *unused)
{
    (void)unused;
    begin(1);
    misused = ft_malloc(42);
    ft_free(misused + 16);
}

static void ask_for_freed(void *unused)
{
    (void)unused;
    begin(1);
    misused = ft_malloc(42);
    ft_free(misused);
    ft_malloc_usable_size(misused);
}

static void resize_freed(void *unused)
{
    (void)unused;
    begin(1);
    misused = ft_malloc(42);
    ft_free(misused);
    (void)ft_realloc(misused, 50);
}

static void write_beside(void *unused)
{
    (void)unused;
    begin(1);
    misused = ft_malloc(42);
    misused[42] = 0; /* of the 48 that are needed for the alignment */
    ft_free(misused);
}

static void check_report(void (*body)(void *), const char *const *lines)
{
    struct unit_end end;
    const char *at;

    unit_in_child(body, NULL, &end);
    assert_int_equal(end.signal, SIGABRT);
    at = end.err;
    for (; *lines != NULL; lines++) {
        const char *found = strstr(at, *lines);

        if (found == NULL)
            fail_msg("no \"%s\" in \"%s\"", *lines, end.err);
        else
            at = found;
    }
}

static void test_misuse_is_reported(void **state)
{
    (void)state;
    check_report(free_twice, (const char *[]){"free(): double free of 0x", "(TINY, 42 bytes)\n",
                                              "  freed by thread ", " seconds ago:\n    #0 0x",
                                              "  allocated by thread ", "    #0 0x", NULL});
    check_report(free_inside,
                 (const char *[]){"free(): invalid pointer 0x", ": inside the chunk 0x",
                                  "  allocated by thread ", "    #0 0x", NULL});
    check_report(ask_for_freed, (const char *[]){"malloc_usable_size(): double free of 0x",
                                                 "  freed by", "  allocated by", NULL});
    check_report(resize_freed, (const char *[]){"realloc(): double free of 0x", "  freed by",
                                                "  allocated by", NULL});
    check_report(write_beside, (const char *[]){"free(): written past the end of 0x",
                                                "(TINY, 42 bytes)\n", "  allocated by", NULL});
}

static void touch_behind(void *unused)
{
    (void)unused;
    begin(1);
    for (;;) {
        misused = ft_malloc(48);
        if ((uintptr_t)(misused + 48) % 4096 == 0)
            ((volatile char *)misused)[48] = 1;
        ft_free(misused);
    }
}

static void touch_freed(void *unused)
{
    (void)unused;
    begin(1);
    misused = ft_malloc(48);
    ft_free(misused);
    ((volatile char *)misused)[0] = 1;
}

static void test_accesses_stop_at_the_instruction(void **state)
{
    struct unit_end end;

    (void)state;
    unit_in_child(touch_behind, NULL, &end);
    assert_true(end.signal == SIGSEGV || end.exit_code > 0);
    unit_in_child(touch_freed, NULL, &end);
    assert_true(end.signal == SIGSEGV || end.exit_code > 0);
}

static void choose_evenly(void *unused)
{
    unsigned last = 0, chosen = 0;
    (void)unused;

    begin(100);
    for (unsigned n = 1; n <= 10000; n++) {
        char *chunk = ft_malloc(10);

        if (guarded(chunk)) {
            REQUIRE(n - last < 200, "none among %u", n - last);
            last = n;
            chosen++;
        }
        ft_free(chunk);
    }
    REQUIRE(chosen == 100, "%u chosen", chosen);
}

static void test_one_of_each_round_is_chosen(void **state)
{
    (void)state;
    run(choose_evenly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_function),
        cmocka_unit_test(test_every_function_hardened),
        cmocka_unit_test(test_resizing),
        cmocka_unit_test(test_resizing_hardened),
        cmocka_unit_test(test_resizing_without_memory),
        cmocka_unit_test(test_failures_of_the_kernel),
        cmocka_unit_test(test_what_looks_at_everything),
        cmocka_unit_test(test_misuse_is_reported),
        cmocka_unit_test(test_accesses_stop_at_the_instruction),
        cmocka_unit_test(test_one_of_each_round_is_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
