/*
 * From the return addresses of a stack to what people want to read: frames without the allocator's
 * own, and the one that stands for the stack.
 */
#include "groups.h"
#include "memory.h"
#include "symbols.h"

#include <stdlib.h>
#include <string.h>

/* Functions of an allocator. If it is linked into the program, only their names tell. */
static const char *const allocator_functions[] = {
    "malloc",       "calloc",         "realloc", "reallocarray", "aligned_alloc",
    "memalign",     "posix_memalign", "valloc",  "pvalloc",      "operator new(",
    "operator new", "operator new[]", "_Znwm",   "_Znam",        "_ZnwmSt11align_val_t",
};

/* Functions that pass on what malloc() returned, and say nothing about who wanted it. */
static const char *const passing_functions[] = {
    "strdup",          "__strdup",         "strndup",           "__strndup",
    "xmalloc",         "xcalloc",          "xzalloc",           "xrealloc",
    "xreallocarray",   "xstrdup",          "xstrndup",          "xmemdup",
    "checked_malloc",  "safe_malloc",      "g_malloc",          "g_malloc0",
    "g_malloc_n",      "g_malloc0_n",      "g_realloc",         "g_strdup",
    "g_slice_alloc",   "g_slice_alloc0",   "CRYPTO_malloc",     "CRYPTO_zalloc",
    "zmalloc",         "zcalloc",          "zrealloc",          "PyMem_Malloc",
    "PyMem_RawMalloc", "_PyMem_RawMalloc", "PyObject_Malloc",   "_PyObject_Malloc",
    "PyMem_Realloc",   "PyObject_Realloc", "_PyMem_RawRealloc", "_PyObject_Realloc",
    "PyMem_Calloc",    "PyObject_Calloc",  "_PyObject_Calloc",  "_PyMem_RawCalloc",
    "PyMem_RawCalloc",
};

const char site_unknown[] = "(unknown)";

static const char *base_name(const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static bool begins(const char *text, const char *beginning)
{
    return text != NULL && strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool is_listed(const char *function, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(function, list[i]) == 0)
            return true;
    return false;
}

static bool is_allocator(const struct frame *frame)
{
    if (begins(base_name(frame->module), "libft_malloc"))
        return true;
    return frame->function != NULL &&
           (begins(frame->function, "operator new") ||
            is_listed(frame->function, allocator_functions,
                      sizeof(allocator_functions) / sizeof(*allocator_functions)));
}

unsigned site_frames(const struct site *site, struct symbols *symbols, struct frame **frames)
{
    struct frame *all = NULL;
    size_t count = 0, room = 0;
    bool leading = true;

    for (unsigned i = 0; i < site->depth; i++) {
        struct frame here[SYMBOLS_INLINED_MAX];
        unsigned found = symbols_at(symbols, site->pcs[i] - 1, here, SYMBOLS_INLINED_MAX);

        for (unsigned j = 0; j < found; j++) {
            leading = leading && is_allocator(&here[j]);
            if (leading)
                continue;
            all = memory_grow(all, &room, count, sizeof(*all));
            all[count++] = here[j];
        }
    }
    *frames = all;
    return (unsigned)count;
}

unsigned site_own_depth(const struct site *site, struct symbols *symbols)
{
    for (unsigned i = 0; i < site->depth; i++) {
        struct frame here[SYMBOLS_INLINED_MAX];
        unsigned found = symbols_at(symbols, site->pcs[i] - 1, here, SYMBOLS_INLINED_MAX);

        for (unsigned j = 0; j < found; j++)
            if (!is_allocator(&here[j]))
                return i;
    }
    return site->depth;
}

/* The function's name behind its type, which a template's demangled name begins with. */
static const char *behind_type(const char *function)
{
    const char *name = function;
    unsigned depth = 0;

    for (const char *c = function; *c != '\0' && (depth > 0 || *c != '('); c++) {
        if (*c == '<')
            depth++;
        else if (*c == '>' && depth > 0)
            depth--;
        else if (*c == ' ' && depth == 0)
            name = c + 1;
    }
    return name;
}

static bool says_nothing(const struct frame *frame)
{
    const char *module = base_name(frame->module);

    if (is_allocator(frame) || begins(module, "libstdc++.so") || begins(module, "libc++.so"))
        return true;
    return frame->function != NULL &&
           (begins(behind_type(frame->function), "std::") ||
            begins(behind_type(frame->function), "__gnu_cxx::") ||
            is_listed(frame->function, passing_functions,
                      sizeof(passing_functions) / sizeof(*passing_functions)));
}

const struct frame *site_place(const struct frame *frames, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!says_nothing(&frames[i]))
            return &frames[i];
    return count > 0 ? &frames[0] : NULL;
}
