#include "module_unload.h"
#include "checked.h"

#include <dlfcn.h>
#include <stdatomic.h>

CHECKED_API int checked_dlclose(void *module) CHECKED_NAME(dlclose);

/*
 * Relaxed: who calls code of a module that was loaded later has synchronized with its loader, which
 * has counted the end of the call that made room for it.
 */
static _Atomic uint64_t unloads;

uint64_t module_unloads(void)
{
    return atomic_load_explicit(&unloads, memory_order_relaxed);
}

/* The module's own destructors run before it is unmapped, so it is counted afterwards, too. */
int checked_dlclose(void *module)
{
    int (*real_dlclose)(void *);
    int result;

    *(void **)&real_dlclose = dlsym(RTLD_NEXT, "dlclose");
    atomic_fetch_add_explicit(&unloads, 1, memory_order_relaxed);
    result = real_dlclose(module);
    atomic_fetch_add_explicit(&unloads, 1, memory_order_relaxed);
    return result;
}
