/*
 * `fault_plugins ROUNDS SEED`: several threads load and unload plugins, each thread one of its own.
 * The plugins allocate whenever they can (see fault_plugin.c), and their chunks outlive them. Other
 * threads allocate all the while.
 */
#include "faults/slots.h"
#include "support/require.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOADERS = 3, WORKERS = 2, KEPT = 20 };

static const char *const plugins[LOADERS] = {FT_PLUGINS};
static atomic_bool stop;
static size_t rounds;
static uint64_t seed;

static char *use_plugin(const char *path, size_t size)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(handle != NULL, "%s", dlerror());
    union {
        void *object;
        void *(*function)(size_t);
    } use = {dlsym(handle, "plugin_use")};
    REQUIRE(use.object != NULL, "the plugin lacks its function");
    char *given = use.function(size);
    REQUIRE(given != NULL, "no memory in the plugin");
    REQUIRE(dlclose(handle) == 0, "dlclose failed");
    return given;
}

static void discard(char *chunk, size_t size)
{
    for (size_t n = 0; n < size; n++)
        REQUIRE(chunk[n] == 'u', "a chunk of the plugin was changed at offset %zu", n);
    free(chunk);
}

static void *load(void *argument)
{
    struct rng rng = rng_stream(seed, (uint64_t)(uintptr_t)argument);
    char *kept[KEPT] = {0};
    size_t sizes[KEPT] = {0};
    for (size_t round = 0; round < rounds; round++) {
        size_t at = round % KEPT;
        if (kept[at] != NULL)
            discard(kept[at], sizes[at]);
        sizes[at] = rng_below(&rng, 20000);
        kept[at] = use_plugin(plugins[(size_t)argument], sizes[at]);
        slots_change(&rng);
    }
    for (size_t n = 0; n < KEPT; n++)
        if (kept[n] != NULL)
            discard(kept[n], sizes[n]);
    return NULL;
}

static void *work(void *argument)
{
    struct rng rng = rng_stream(seed, (uint64_t)(uintptr_t)argument);
    slots_change_until(&stop, &rng);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[LOADERS + WORKERS];
    REQUIRE(argc == 3, "usage: fault_plugins ROUNDS SEED");
    rounds = strtoul(argv[1], NULL, 10);
    seed = strtoull(argv[2], NULL, 10);
    for (size_t t = 0; t < LOADERS + WORKERS; t++)
        REQUIRE(pthread_create(&threads[t], NULL, t < LOADERS ? load : work, (void *)t) == 0,
                "no thread");
    for (size_t t = 0; t < LOADERS + WORKERS; t++) {
        if (t == LOADERS)
            atomic_store(&stop, true);
        pthread_join(threads[t], NULL);
    }
    slots_discard_all();
    printf("%zu plugins loaded and unloaded\n", rounds * LOADERS);
    return 0;
}
