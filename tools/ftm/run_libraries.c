/*
 * Where the libraries are: beside ftm in a build, or in the library folder of the prefix that ftm
 * is installed under.
 */
#include "command.h"
#include "memory.h"
#include "run_options.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Returns the folder of ftm's own file, or NULL. The caller frees it. */
static char *own_folder(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash;

    if (length <= 0)
        return NULL;
    path[length] = '\0';
    slash = strrchr(path, '/');
    return slash == NULL ? NULL : memory_text(path, (size_t)(slash - path));
}

/* Returns the path of the library, or NULL. The caller frees it. */
static char *find_library(const char *folder, const char *name)
{
    static const char *const places[] = {".", ("../" FTM_LIBRARY_FOLDER), "../lib", "../lib64"};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char *path = memory_format("%s/%s/%s", folder, places[i], name);
        char *whole = realpath(path, NULL);

        free(path);
        if (whole != NULL && access(whole, R_OK) == 0)
            return whole;
        free(whole);
    }
    return NULL;
}

static bool put_in_front(const char *debug, const char *core)
{
    const char *before = getenv("LD_PRELOAD");
    char *all = memory_format("%s%s%s%s%s", debug == NULL ? "" : debug, debug == NULL ? "" : ":",
                              core, before == NULL ? "" : ":", before == NULL ? "" : before);
    bool done = setenv("LD_PRELOAD", all, 1) == 0;

    free(all);
    return done;
}

/* The dynamic linker separates names at spaces and colons, and has no way to quote them. */
static bool can_be_preloaded(const char *path)
{
    if (strpbrk(path, " :") == NULL)
        return true;
    say("%s cannot be preloaded: there is a space or a colon in its path", path);
    return false;
}

bool run_libraries_preload(bool plain)
{
    char *folder = own_folder();
    char *core = folder == NULL ? NULL : find_library(folder, "libft_malloc.so");
    char *debug = folder == NULL || plain ? NULL : find_library(folder, "libft_malloc_debug.so");
    bool done = false;

    if (core == NULL)
        say("cannot find libft_malloc.so beside %s", folder == NULL ? "ftm" : folder);
    else if (debug == NULL && !plain)
        say("cannot find libft_malloc_debug.so beside %s; --plain does without it", core);
    else
        done = can_be_preloaded(core) && put_in_front(debug, core);
    free(folder);
    free(core);
    free(debug);
    return done;
}
