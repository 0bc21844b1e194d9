/*
 * Load and exit. The first arena is made when the library is loaded, so that a program's first malloc is as
 * cheap as the others; but malloc works before this constructor, too.
 */
#include "api/api.h"
#include "debug/stats.h"

/* One chunk of each zone: what the first calls of a program would have to map and touch is there then. */
static void touch_arena(void)
{
    static const size_t sizes[] = {64, 1024};
    struct arena *arena = arena_enter();

    if (arena == NULL)
        return;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *chunk = arena_alloc(arena, size_class_of(sizes[i]), sizes[i], NULL);

        if (chunk != NULL)
            arena_free_chunk(arena, (uintptr_t)chunk);
    }
    arena_leave(arena);
}

/* The C library hands constructors what main() gets: arguments, and behind them the environment. */
__attribute__((constructor)) static void at_load(int argc, char **argv, char **environment)
{
    (void)environment;
    thread_runtime_init(argv == NULL ? NULL : argv + argc + 1);
    touch_arena();
}

__attribute__((destructor)) static void at_exit(void)
{
    stats_at_exit();
}
