/*
 * Without memory: a fixed piece of work runs in a new process again and again, and each time
 * another one of its system calls for memory fails, alone or with all that follow, until no call is
 * left to fail. After 15 seconds the test leaves out some, if enough have reached the caller. What
 * failed returns an error, nothing that is live is touched, the census agrees, and the next attempt
 * works.
 */
#include "unit/unit.h"

#include "debug/census.h"
#include "os/os.h"
#include "support/deadline.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum {
    ITEMS = 700,
    HEAD = 2048,
    NOTHING_FAILED = 77,
    CASES_MAX = 2000,
    ALL_WORK = 10,
    REFUSED_LEAST = 6
};

enum call { CALL_OF_MALLOC, CALL_OF_CALLOC, CALL_OF_REALLOC, CALL_OF_ALIGNED, CALL_OF_MEMALIGN };

struct item {
    char *pointer;
    size_t size;
};

static struct {
    bool sticky;
    unsigned failures;
    struct item items[ITEMS];
    size_t count;
    struct census before;
    struct os_counters start;
} work;

static size_t checked_part(size_t size)
{
    return size < HEAD ? size : HEAD;
}

/* Fills only the beginning and the end of long chunks. */
static void write_item(const struct item *item, size_t tag)
{
    pattern_write(item->pointer, 0, checked_part(item->size), tag);
    if (item->size >= 2 * HEAD)
        pattern_write(item->pointer + item->size - HEAD, 0, HEAD, tag + ITEMS);
}

static void check_item(const struct item *item, size_t tag)
{
    size_t part = checked_part(item->size);

    REQUIRE(pattern_mismatch(item->pointer, part, tag) == part, "item %zu: the beginning changed",
            tag);
    if (item->size >= 2 * HEAD)
        REQUIRE(pattern_mismatch(item->pointer + item->size - HEAD, HEAD, tag + ITEMS) == HEAD,
                "item %zu: the end changed", tag);
}

static void check_everything(void)
{
    struct census census;
    size_t chunks = 0, requested = 0, live = 0, expected = 0;

    for (size_t n = 0; n < work.count; n++) {
        if (work.items[n].pointer == NULL)
            continue;
        check_item(&work.items[n], n);
        live++;
        expected += work.items[n].size;
    }
    census_take(&census);
    for (unsigned zone = ZONE_TINY; zone <= ZONE_LARGE; zone++) {
        chunks += census.zone[zone].chunks - work.before.zone[zone].chunks;
        requested += census.zone[zone].requested - work.before.zone[zone].requested;
    }
    REQUIRE(chunks == live, "the census has %zu chunks, not %zu", chunks, live);
    REQUIRE(requested == expected, "the census has %zu bytes, not %zu", requested, expected);
}

static char *attempt(enum call call, char *old, size_t size, size_t align)
{
    void *pointer = NULL;

    errno = 0;
    switch (call) {
    case CALL_OF_MALLOC:
        return ft_malloc(size);
    case CALL_OF_CALLOC:
        return ft_calloc(1, size);
    case CALL_OF_REALLOC:
        return ft_realloc(old, size);
    case CALL_OF_MEMALIGN:
        return ft_memalign(align, size);
    case CALL_OF_ALIGNED:
        REQUIRE((errno = ft_posix_memalign(&pointer, align, size)) ==
                    (pointer == NULL ? ENOMEM : 0),
                "error number");
        return pointer;
    }
    return NULL;
}

/* Makes one call. If it fails, everything is unchanged, and the second attempt works. */
static char *insist(enum call call, char *old, size_t size, size_t align)
{
    char *pointer = attempt(call, old, size, align);

    if (pointer == NULL) {
        REQUIRE(errno == ENOMEM, "errno is %d", errno);
        work.failures++;
        check_everything();
        if (work.sticky)
            REQUIRE(attempt(call, old, size, align) == NULL, "memory from nowhere");
        os_fail_after(0, false);
        pointer = attempt(call, old, size, align);
        REQUIRE(pointer != NULL, "no memory though there is some again");
    }
    REQUIRE((uintptr_t)pointer % (align > 16 ? align : 16) == 0, "not aligned");
    if (call == CALL_OF_CALLOC)
        REQUIRE(pattern_first_nonzero(pointer, size) == size, "not zero");
    return pointer;
}

static void add(enum call call, size_t size, size_t align)
{
    struct item *item = &work.items[work.count];
    char *pointer = insist(call, NULL, size, align);

    REQUIRE(work.count < ITEMS, "too many items");
    *item = (struct item){pointer, size};
    write_item(item, work.count++);
}

static void change(size_t index, size_t size)
{
    struct item *item = &work.items[index];
    size_t kept = checked_part(item->size < size ? item->size : size);

    item->pointer = insist(CALL_OF_REALLOC, item->pointer, size, 16);
    REQUIRE(pattern_mismatch(item->pointer, kept, index) == kept, "realloc lost the contents");
    item->size = size;
    write_item(item, index);
}

static void drop(size_t index)
{
    errno = 12345;
    ft_free(work.items[index].pointer);
    REQUIRE(errno == 12345, "free changed errno");
    work.items[index].pointer = NULL;
}

static void allocate_all_sizes(void)
{
    for (size_t size = 0; size <= 2000; size += 61)
        add(CALL_OF_MALLOC, size, 16);
    for (size_t size = 2500; size <= SMALL_MAX; size += size / 3)
        add(CALL_OF_CALLOC, size, 16);
    /* More chunks than a heap of each zone holds. */
    for (unsigned n = 0; n < 130; n++)
        add(CALL_OF_MALLOC, SMALL_MAX - n, 16);
    for (size_t size = SMALL_MAX + 1; size < 2000000; size += size / 4)
        add(CALL_OF_CALLOC, size, 16);
    /*
     * Sizes that are not rounded up, so that a refused mapping cannot be replaced by one that is
     * just large enough.
     */
    for (size_t size = 2 * SMALL_MAX; size < 2000000; size += size / 2)
        add(CALL_OF_MALLOC, size, 16);
    for (size_t align = 32; align <= 4 << 20; align *= 8) {
        add(CALL_OF_MEMALIGN, 100, align);
        add(CALL_OF_ALIGNED, 5000, align);
    }
    /* Each needs a mapping of its own, of whole pages, if the cache is empty. */
    for (size_t align = 2 * (size_t)SMALL_MAX; align <= 4 << 20; align *= 2)
        add(CALL_OF_MEMALIGN, 20000, align);
}

static void grow_and_shrink(void)
{
    size_t first = work.count;

    for (unsigned n = 0; n < 3; n++)
        add(CALL_OF_MALLOC, 10, 16);
    for (size_t size = 100; size < 6000000; size *= 3)
        for (unsigned n = 0; n < 3; n++)
            change(first + n, size + n);
    change(first, 3000000);
    change(first, 300000);
    change(first, 3000);
    change(first, 30);
}

static void *work_elsewhere(void *argument)
{
    (void)argument;
    /* Chunks of another arena, some of which this thread has freed. */
    for (size_t n = 0; n < 120; n += 3)
        drop(n);
    for (size_t size = 1; size < 400000; size += 1 + size / 2)
        add(CALL_OF_MALLOC, size, 16);
    return NULL;
}

static void work_in_a_thread(void)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, work_elsewhere, NULL) == 0, "no thread");
    REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
    check_everything();
}

static void free_and_trim(void)
{
    for (size_t n = 1; n < work.count; n += 2)
        if (work.items[n].pointer != NULL)
            drop(n);
    (void)ft_malloc_trim(0);
    check_everything();
}

/*
 * Each part is a piece of work of its own that ends with the process, so that the failures of a
 * later part come early.
 */
static void (*const parts[])(void) = {allocate_all_sizes, grow_and_shrink, work_in_a_thread,
                                      free_and_trim};

struct fault {
    unsigned long n;
    bool sticky;
};

static unsigned long calls_since(struct os_counters start)
{
    struct os_counters now = os_counted();

    return now.mmap - start.mmap + (now.munmap - start.munmap);
}

static void work_with_a_fault(void *argument)
{
    const struct fault *fault = argument;
    unsigned long calls;

    census_take(&work.before);
    work.sticky = fault->sticky;
    work.start = os_counted();
    os_fail_after(fault->n, fault->sticky);
    for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++)
        parts[part]();
    for (size_t n = 0; n < work.count; n++)
        if (work.items[n].pointer != NULL)
            drop(n);
    (void)ft_malloc_trim(0);
    calls = calls_since(work.start);
    os_fail_after(0, false);
    check_everything();
    add(CALL_OF_MALLOC, 100, 16);
    add(CALL_OF_MALLOC, 10000, 16);
    add(CALL_OF_MALLOC, 1000000, 16);
    check_everything();
    if (calls < fault->n)
        _exit(NOTHING_FAILED);
    if (work.failures == 0)
        _exit(ALL_WORK);
}

static void fail_each_call_in_turn(bool sticky)
{
    struct fault fault = {.n = 1, .sticky = sticky};
    struct unit_end end;
    unsigned refused = 0, stride = 1;
    time_t started = deadline_in(0);

    for (; fault.n < CASES_MAX; fault.n += stride) {
        unit_in_child(work_with_a_fault, &fault, &end);
        if (end.exit_code == NOTHING_FAILED)
            break;
        if (end.exit_code != 0 && end.exit_code != ALL_WORK)
            print_error("call %lu: exit code %d, signal %d, its stderr:\n%s\n", fault.n,
                        end.exit_code, end.signal, end.err);
        assert_true(end.exit_code == 0 || end.exit_code == ALL_WORK);
        refused += end.exit_code == 0;
        if (refused >= REFUSED_LEAST)
            stride = deadline_stride(started, 15);
    }
    assert_int_equal(end.exit_code, NOTHING_FAILED);
    /*
     * The allocator makes up for many failures. But some must reach the caller, or nothing was
     * tested.
     */
    assert_true(fault.n > 50);
    assert_true(refused >= REFUSED_LEAST);
}

static void test_one_call_fails(void **state)
{
    (void)state;
    fail_each_call_in_turn(false);
}

static void test_all_calls_fail_from_one_on(void **state)
{
    (void)state;
    fail_each_call_in_turn(true);
}

/*
 * Moves from LARGE to ever smaller sizes, in a process that has nothing else and gets nothing more.
 */
static void shrink_without_memory(void *argument)
{
    size_t size = *(size_t *)argument;
    char *chunk = ft_malloc(3000000), *moved;

    REQUIRE(chunk != NULL, "no memory");
    pattern_write(chunk, 0, 3000000, 1);
    os_fail_after(1, true);
    moved = ft_realloc(chunk, size);
    /* Where there is room enough, no room has to be made. */
    REQUIRE(moved == chunk, "a chunk cannot shrink without memory");
    REQUIRE(pattern_mismatch(chunk, size, 1) == size, "the contents changed");
    REQUIRE(ft_malloc_usable_size(chunk) >= size, "less is usable than was asked for");
    ft_free(chunk);
    os_fail_after(0, false);
    REQUIRE(ft_malloc(size) != NULL, "no memory though there is some again");
}

static void test_a_chunk_can_always_shrink(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,     100,       TINY_MAX,      TINY_MAX + 1,
                                   10000, SMALL_MAX, SMALL_MAX + 1, 2000000};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i];

        assert_true(unit_child_succeeds(shrink_without_memory, &size));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chunk_can_always_shrink),
        cmocka_unit_test(test_one_call_fails),
        cmocka_unit_test(test_all_calls_fail_from_one_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
