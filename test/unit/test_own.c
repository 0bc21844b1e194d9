/*
 * The list of the allocator's own memory: what is mapped is in it, what is unmapped is not, also
 * when several threads fill it and when there is no memory for it.
 */
#include "unit/unit.h"

#include "base/own.h"
#include "os/os.h"
#include "support/require.h"

#include <pthread.h>

enum { THREADS = 4, EACH = 500 };

/* Returns how many entries are exactly this memory. */
static unsigned entered(const void *start, size_t size)
{
    unsigned found = 0;

    for (const struct own_ranges *piece = &own_first; piece != NULL; piece = piece->next)
        for (unsigned i = 0; i < piece->room; i++)
            found += piece->of[i].start == (uintptr_t)start && piece->of[i].size == size;
    return found;
}

static void what_is_mapped_is_in_the_list(void **state)
{
    size_t page = os_page_size();
    char *memory = own_map(page + 1);

    (void)state;
    assert_non_null(memory);
    assert_int_equal(memory[0] | memory[2 * page - 1], 0);
    assert_int_equal(entered(memory, 2 * page), 1);
    assert_true(own_unmap(memory, page + 1));
    assert_int_equal(entered(memory, 2 * page), 0);
}

static void other_memory_can_be_entered(void **state)
{
    static char mine[100];

    (void)state;
    own_enter(mine, sizeof mine);
    assert_int_equal(entered(mine, sizeof mine), 1);
}

static void what_is_inner_is_marked(void **state)
{
    void *index = own_map(1), *other = own_map(1);
    unsigned marked = 0;

    (void)state;
    assert_true(index != NULL && other != NULL);
    own_is_inner(index);
    own_is_inner(&marked); /* not in the list */
    for (const struct own_ranges *piece = &own_first; piece != NULL; piece = piece->next)
        for (unsigned i = 0; i < piece->room; i++) {
            assert_true(piece->of[i].inner == 0 || piece->of[i].start == (uintptr_t)index);
            marked += piece->of[i].inner != 0;
        }
    assert_int_equal(marked, 1);
    assert_true(own_unmap(index, 1) && own_unmap(other, 1));
}

static void *fill(void *context)
{
    void **mapped = context;

    for (unsigned i = 0; i < EACH; i++) {
        mapped[i] = own_map(1);
        REQUIRE(mapped[i] != NULL, "no memory");
    }
    return NULL;
}

/* More than fit in several pieces, so that threads also race to make the next one. */
static void threads_fill_it(void **state)
{
    static void *mapped[THREADS][EACH];
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fill, mapped[i]), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned j = 0; j < EACH; j++)
            assert_int_equal(entered(mapped[i][j], os_page_size()), 1);
    for (const struct own_ranges *piece = own_first.next; piece != NULL; piece = piece->next)
        assert_int_equal(entered(piece, os_page_size()), 1);
}

static void without_memory_nothing_is_entered(void **state)
{
    (void)state;
    os_fail_after(1, true);
    assert_null(own_map(1));
    os_fail_after(0, false);
}

/* The list is full, and the page for its next piece is refused: the memory can be used anyway. */
static void without_memory_for_the_list(void **state)
{
    struct own_ranges *last = &own_first;
    void *memory;

    (void)state;
    while (last->next != NULL)
        last = last->next;
    while (last->used < last->room)
        own_enter(&last, 1);
    os_fail_after(2, true);
    memory = own_map(1);
    os_fail_after(0, false);
    assert_non_null(memory);
    assert_int_equal(entered(memory, os_page_size()), 0);
    assert_true(own_unmap(memory, 1));
    memory = own_map(1);
    assert_int_equal(entered(memory, os_page_size()), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_mapped_is_in_the_list),
        cmocka_unit_test(other_memory_can_be_entered),
        cmocka_unit_test(what_is_inner_is_marked),
        cmocka_unit_test(threads_fill_it),
        cmocka_unit_test(without_memory_nothing_is_entered),
        cmocka_unit_test(without_memory_for_the_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
