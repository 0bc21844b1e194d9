/*
 * Load and exit. The first arena is made when the library is loaded, so that a program's first malloc is as
 * cheap as the others; but malloc works before this constructor, too.
 */
#include "arena/thread.h"
#include "debug/stats.h"
#include "os/os.h"

/* The C library hands constructors what main() gets: arguments, and behind them the environment. */
__attribute__((constructor)) static void at_load(int argc, char **argv, char **environment)
{
    struct arena *arena;

    (void)environment;
    thread_runtime_init(argv == NULL ? NULL : argv + argc + 1);
    arena = arena_enter();
    if (arena != NULL)
        arena_leave(arena);
    thread_register_fork();
}

__attribute__((destructor)) static void at_exit(void)
{
    stats_at_exit();
}
