/*
 * An RTLD_DEEPBIND library hands chunks of libc's malloc to a program that runs on ours, and the
 * program frees them. Run with FT_MALLOC_ON_ERROR=report, the library must report each one as
 * foreign and leave it alone.
 */
#include "support/pattern.h"
#include "support/require.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *symbol(void *handle, const char *name)
{
    void *address = dlsym(handle, name);
    REQUIRE(address != NULL, "the plugin lacks %s", name);
    return address;
}

int main(void)
{
    static const size_t sizes[] = {10, 3000, 1000000};
    void *(*deep_malloc)(size_t) = NULL;
    void (*deep_free)(void *) = NULL;
    void *handle = dlopen(FT_PLUGIN, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    REQUIRE(handle != NULL, "%s", dlerror());
    void *address = symbol(handle, "deep_malloc");
    memcpy(&deep_malloc, &address, sizeof address);
    address = symbol(handle, "deep_free");
    memcpy(&deep_free, &address, sizeof address);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *ours = malloc(sizes[i]);
        void *foreign = deep_malloc(sizes[i]);
        REQUIRE(ours != NULL && foreign != NULL, "no memory");
        pattern_write(ours, 0, sizes[i], i);
        pattern_write(foreign, 0, sizes[i], i + 10);
        free(foreign);
        void *resized = realloc(foreign, 50); // NOLINT: that it is refused is the test
        REQUIRE(resized == NULL, "a foreign chunk was resized");
        REQUIRE(pattern_mismatch(foreign, sizes[i], i + 10) == sizes[i],
                "a foreign chunk was changed");
        REQUIRE(pattern_mismatch(ours, sizes[i], i) == sizes[i], "our chunk was changed");
        deep_free(foreign);
        free(ours);
        printf("%p\n", foreign);
    }
    return 0;
}
