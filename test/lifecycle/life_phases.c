/*
 * Allocates in every phase of a process: constructors, main, plugins that are loaded and unloaded,
 * atexit handlers, destructors. A later phase verifies and frees what an earlier one allocated.
 */
#include "support/pattern.h"
#include "support/require.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNKS = 50, ROUNDS = 300 };

static const char *plugin = FT_PLUGIN;
static void *early[CHUNKS];
static void *late[CHUNKS];

static size_t size_of(size_t n)
{
    return n * n * 200 + 1;
}

static void make_all(void **chunks, size_t tag)
{
    for (size_t n = 0; n < CHUNKS; n++) {
        chunks[n] = malloc(size_of(n));
        REQUIRE(chunks[n] != NULL, "no memory");
        pattern_write(chunks[n], 0, size_of(n), tag + n);
    }
}

static void free_all(void **chunks, size_t tag)
{
    for (size_t n = 0; n < CHUNKS; n++) {
        REQUIRE(pattern_mismatch(chunks[n], size_of(n), tag + n) == size_of(n),
                "chunk %zu was changed", n);
        free(chunks[n]);
        chunks[n] = NULL;
    }
}

__attribute__((constructor(101))) static void first_constructor(void)
{
    make_all(early, 1000);
}

__attribute__((destructor(101))) static void last_destructor(void)
{
    free_all(late, 3000);
    make_all(late, 4000);
    free_all(late, 4000);
    REQUIRE(write(STDOUT_FILENO, "all phases done\n", 16) == 16, "cannot write");
}

static void first_handler(void)
{
    free_all(late, 2000);
    make_all(late, 3000);
}

static void second_handler(void)
{
    make_all(late, 2000);
    REQUIRE(atexit(first_handler) == 0, "atexit failed");
}

static void use_plugin(void)
{
    void *handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(handle != NULL, "%s", dlerror());
    union {
        void *object;
        void *(*function)(void *);
    } exchange = {dlsym(handle, "plugin_exchange")};
    REQUIRE(exchange.object != NULL, "the plugin lacks its function");
    unsigned char *given = exchange.function(malloc(4000));
    REQUIRE(given != NULL && given[0] == 'c' && given[776] == 'c',
            "the plugin's chunk was changed");
    free(given);
    REQUIRE(dlclose(handle) == 0, "dlclose failed");
}

int main(void)
{
    free_all(early, 1000);
    for (size_t n = 0; n < ROUNDS; n++)
        use_plugin();
    void *stays_open = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(stays_open != NULL, "%s", dlerror());
    REQUIRE(atexit(second_handler) == 0, "atexit failed");
    return 0;
}
