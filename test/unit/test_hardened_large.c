/*
 * LARGE chunks of hardened processes that change their size. The usable range grows and shrinks by
 * whole pages, and a guard page is always at both of its ends. Each test runs in a child, because
 * the option cannot be taken back.
 */
#include "unit/hardened.h"

#include "large/large.h"
#include "large/quarantine.h"
#include "large/registry.h"
#include "os/os.h"
#include "support/pattern.h"

#include <string.h>
#include <sys/resource.h>

enum { MIB = 1 << 20 };

static struct large large_of(const char *chunk)
{
    struct large *large, copy;

    registry_lock();
    large = registry_find((uintptr_t)chunk);
    REQUIRE(large != NULL, "no chunk at %p", (const void *)chunk);
    copy = *large;
    registry_unlock();
    return copy;
}

static bool resize(char *chunk, size_t size)
{
    return large_resize_guarded((uintptr_t)chunk, size);
}

static char *allocate(size_t size, size_t align)
{
    bool clean;
    char *chunk = large_alloc(size, align, &clean);

    REQUIRE(chunk != NULL, "no memory");
    return chunk;
}

static char *allocate_growing(size_t size)
{
    char *chunk = large_alloc_growing_guarded(size);

    REQUIRE(chunk != NULL, "no memory");
    return chunk;
}

/* The chunk is as large as that, to the page; all of it can be used, and nothing around it. */
static void require_guarded(const char *chunk, size_t size)
{
    uintptr_t start = (uintptr_t)chunk, end = start + round_up(size, os_page_size());
    struct large large = large_of(chunk);

    REQUIRE(atomic_load(&large.requested) == size + 1, "%zu bytes are noted as others", size);
    REQUIRE(start + large.mapped == end, "%zu bytes have %zu", size, large.mapped);
    REQUIRE(unit_protected_so(start, end, "rw-p"), "%zu bytes cannot be used", size);
    REQUIRE(unit_protected_so(start - os_page_size(), start, "---p"),
            "no guard in front of %zu bytes", size);
    REQUIRE(unit_protected_so(end, end + os_page_size(), "---p"), "no guard behind %zu bytes",
            size);
}

/*
 * After the free, its place is kept from others for a while and nobody may touch it. Then nothing
 * is left of it, of its headroom or of its guards.
 */
static void require_gone(const char *chunk, size_t reserved)
{
    uintptr_t start = (uintptr_t)chunk;
    static const char *const protections[] = {"rw-p", "---p"};

    REQUIRE(large_free(start, false) == LARGE_FREED, "not freed");
    REQUIRE(unit_protected_so(start, start + os_page_size(), "---p"), "others may have its place");
    REQUIRE(quarantine_empty() > 0, "nothing was kept");
    for (unsigned n = 0; n < 2; n++) {
        REQUIRE(!unit_protected_so(start - os_page_size(), start, protections[n]),
                "a guard stays in front");
        REQUIRE(!unit_protected_so(start, start + os_page_size(), protections[n]),
                "the chunk stays");
        REQUIRE(
            !unit_protected_so(start + reserved, start + reserved + os_page_size(), protections[n]),
            "a guard stays behind");
    }
}

static void grow_step_by_step(void *unused)
{
    char *chunk = allocate_growing(MIB);
    size_t size = MIB, reserved = large_of(chunk).reserved;
    (void)unused;

    REQUIRE(reserved >= 4 * (size_t)MIB, "%zu bytes in advance", reserved);
    pattern_write(chunk, 0, size, 1);
    for (; size < reserved - 1;
         size = size + size / 10 < reserved - 1 ? size + size / 10 : reserved - 1) {
        REQUIRE(resize(chunk, size), "%zu bytes do not fit", size);
        require_guarded(chunk, size);
        REQUIRE(pattern_mismatch(chunk, MIB, 1) == MIB, "changed");
    }
    REQUIRE(resize(chunk, reserved), "the last page is not given");
    REQUIRE(!resize(chunk, reserved + 1), "the guard is given away");
    REQUIRE(!resize(chunk, SIZE_MAX) && !resize(chunk, SIZE_MAX - os_page_size()),
            "more than there is");
    require_guarded(chunk, reserved);
    require_gone(chunk, large_of(chunk).reserved);
}

static void test_growing_moves_the_guard(void **state)
{
    (void)state;
    run(grow_step_by_step);
}

/* What a shrinking chunk lost is gone and is zero when it grows again, with headroom or without. */
static void shrink_and_grow(char *chunk)
{
    (void)memset(chunk, 0xee, 2 * MIB);
    for (size_t size = 2 * MIB - 1; size > MIB; size -= 100000) {
        REQUIRE(resize(chunk, size), "does not shrink to %zu", size);
        require_guarded(chunk, size);
    }
    REQUIRE(resize(chunk, MIB + 4) && resize(chunk, 2 * MIB), "does not grow again");
    require_guarded(chunk, 2 * MIB);
    REQUIRE(chunk[MIB] == (char)0xee, "changed");
    REQUIRE(pattern_first_nonzero(chunk + MIB + os_page_size(), MIB - os_page_size()) ==
                MIB - os_page_size(),
            "what was lost is there");
    require_gone(chunk, large_of(chunk).reserved);
}

static void shrink(void *unused)
{
    (void)unused;
    shrink_and_grow(allocate(2 * MIB, 1));
    shrink_and_grow(allocate_growing(2 * MIB));
}

static void test_shrinking_moves_the_guard(void **state)
{
    (void)state;
    run(shrink);
}

/*
 * Chunks aligned to more than a page have no guards, so they are resized only within their pages.
 */
static void resize_aligned(void *unused)
{
    char *chunk = allocate(MIB, MIB);
    (void)unused;

    REQUIRE(resize(chunk, MIB + os_page_size() - 1) && resize(chunk, MIB), "does not stay");
    REQUIRE(!resize(chunk, MIB + os_page_size()) && !resize(chunk, MIB - 1), "stays");
    REQUIRE(large_free((uintptr_t)chunk, false) == LARGE_FREED, "not freed");
}

static void test_aligned_chunks_stay_in_their_pages(void **state)
{
    (void)state;
    run(resize_aligned);
}

/* The n-th system call is refused. The chunk is then as good as one that was never to grow. */
static void refuse_headroom(void *unused)
{
    (void)unused;
    for (unsigned n = 1; n <= 2; n++) {
        char *chunk;

        os_fail_after(n, false);
        chunk = allocate_growing(MIB);
        REQUIRE(large_of(chunk).reserved == large_of(chunk).mapped, "headroom, nevertheless");
        require_guarded(chunk, MIB);
        require_gone(chunk, large_of(chunk).reserved);
    }
}

static void test_without_headroom_a_chunk_is_ordinary(void **state)
{
    (void)state;
    run(refuse_headroom);
}

/*
 * Where the kernel may have left a hole, nothing is unmapped any more. The chunk stays as it was,
 * without guards.
 */
static void refuse_to_grow(void *unused)
{
    char *chunk = allocate_growing(MIB);
    size_t reserved = large_of(chunk).reserved;
    (void)unused;

    pattern_write(chunk, 0, MIB, 1);
    os_fail_after(1, false);
    REQUIRE(!resize(chunk, 2 * MIB), "grows");
    REQUIRE(pattern_mismatch(chunk, MIB, 1) == MIB, "changed");
    REQUIRE(unit_protected_so((uintptr_t)chunk + MIB + os_page_size(), (uintptr_t)chunk + 2 * MIB,
                              "---p"),
            "what may be a hole was unmapped");
    REQUIRE(!unit_protected_so((uintptr_t)chunk + reserved,
                               (uintptr_t)chunk + reserved + os_page_size(), "---p"),
            "the guard stays");
    REQUIRE(!resize(chunk, 2 * MIB) && !resize(chunk, MIB + 1) && resize(chunk, MIB - 1),
            "it has no room");
    require_gone(chunk, reserved);
}

static void test_without_memory_a_chunk_does_not_grow(void **state)
{
    (void)state;
    run(refuse_to_grow);
}

static void refuse_to_shrink(void *unused)
{
    char *chunk = allocate_growing(2 * MIB);
    size_t reserved = large_of(chunk).reserved;
    (void)unused;

    pattern_write(chunk, 0, MIB, 1);
    os_fail_after(1, false);
    REQUIRE(resize(chunk, MIB), "does not shrink");
    REQUIRE(pattern_mismatch(chunk, MIB, 1) == MIB && large_of(chunk).mapped == MIB, "changed");
    REQUIRE(unit_protected_so((uintptr_t)chunk + MIB + os_page_size(), (uintptr_t)chunk + 2 * MIB,
                              "rw-p"),
            "what may be a hole was unmapped");
    require_gone(chunk, reserved);
}

static void test_a_chunk_shrinks_although_the_kernel_refuses(void **state)
{
    (void)state;
    run(refuse_to_shrink);
}

static void limited(void *unused)
{
    struct rlimit limit = {(rlim_t)1 << 60, RLIM_INFINITY};
    char *chunk;
    (void)unused;

    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0, "no limit");
    os_look_at_process();
    chunk = allocate_growing(MIB);
    REQUIRE(large_of(chunk).reserved == MIB, "headroom");
    require_guarded(chunk, MIB);
}

static void test_no_headroom_under_a_limit_of_address_space(void **state)
{
    (void)state;
    run(limited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing_moves_the_guard),
        cmocka_unit_test(test_shrinking_moves_the_guard),
        cmocka_unit_test(test_aligned_chunks_stay_in_their_pages),
        cmocka_unit_test(test_without_headroom_a_chunk_is_ordinary),
        cmocka_unit_test(test_without_memory_a_chunk_does_not_grow),
        cmocka_unit_test(test_a_chunk_shrinks_although_the_kernel_refuses),
        cmocka_unit_test(test_no_headroom_under_a_limit_of_address_space),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
