/*
 * The list. test/ftm/test_dump.py compares it with ft_malloc_layout.
 */
#include "debug/dump_roots.h"

#include "arena/arena.h"
#include "base/control.h"
#include "base/modes.h"
#include "base/options.h"
#include "base/outside.h"
#include "bins/empty.h"
#include "bins/guard_pool.h"
#include "debug/history.h"
#include "debug/layout.h"
#include "debug/live_table.h"
#include "debug/stack_table.h"

static void put_root(struct dump *dump, const void *root, size_t size)
{
    dump_known(dump, (uintptr_t)root, root, size);
}

void dump_roots(struct dump *dump)
{
    put_root(dump, &ft_malloc_layout, sizeof ft_malloc_layout);
    put_root(dump, size_classes, sizeof size_classes);
    put_root(dump, &options, sizeof options);
    put_root(dump, &modes_on, sizeof modes_on);
    put_root(dump, &control, sizeof control);
    put_root(dump, &outside, sizeof outside);
    put_root(dump, &arena_list, sizeof arena_list);
    put_root(dump, &empty_regions, sizeof empty_regions);
    put_root(dump, &guard_pool, sizeof guard_pool);
    put_root(dump, &history, sizeof history);
    put_root(dump, &stack_table, sizeof stack_table);
    put_root(dump, &live_table, sizeof live_table);
}
