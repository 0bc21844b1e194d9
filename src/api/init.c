/*
 * Load and exit. The first arena is made when the library is loaded, so that a program's first malloc is as
 * cheap as the others; but malloc works before this constructor, too.
 */
#include "api/api.h"
#include "debug/stats.h"

/*
 * One TINY chunk: what the first calls of a program would have to map and touch is there then. Not so for SMALL: there
 * are programs that need none, and its heap is a system call and three pages.
 */
static void touch_arena(void)
{
    enum { SOME_SIZE = 64 };
    struct arena *arena = arena_enter();
    void *chunk;

    if (arena == NULL)
        return;
    chunk = arena_alloc(arena, size_class_of(SOME_SIZE), SOME_SIZE, NULL);
    if (chunk != NULL)
        arena_free_chunk(arena, (uintptr_t)chunk);
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
