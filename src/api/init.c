/*
 * Load and exit. The first arena is made when the library is loaded, so that a program's first
 * malloc is as cheap as the others. But malloc also works before this constructor has run.
 */
#include "api/api.h"
#include "base/control.h"
#include "debug/dump.h"
#include "debug/mode_switch.h"
#include "debug/stats.h"
#include "debug/unwind.h"

/* The class gets a slab of its own: see stack_shared(). */
static void touch(struct cache *cache, size_t size)
{
    void *chunk = cache_alloc_aligned(cache, size_class_of(size), size);

    if (chunk != NULL)
        cache_free_chunk(cache, (uintptr_t)chunk);
}

/*
 * Allocates a chunk of each zone, so that memory which the first calls of a program would have to
 * map and touch is already there.
 */
static void touch_arena(void)
{
    enum { SOME_TINY_SIZE = 64, SOME_SMALL_SIZE = 1024 };
    struct cache *cache = cache_enter();

    if (cache == NULL)
        return;
    touch(cache, SOME_TINY_SIZE);
    touch(cache, SOME_SMALL_SIZE);
    cache_leave(cache);
}

/*
 * The C library passes to constructors what main() gets: arguments, and the environment behind
 * them. In a static program, the lowest priority that is not reserved makes this constructor the
 * first of all.
 */
__attribute__((constructor(101))) static void at_load(int argc, char **argv, char **environment)
{
    char **initial = argv == NULL ? NULL : argv + argc + 1;

    (void)environment;
    control_serve = mode_serve;
    thread_runtime_init(initial);
    unwind_init(initial);
    touch_arena();
}

__attribute__((destructor)) static void at_exit(void)
{
    stats_at_exit();
    dump_at_exit();
}
