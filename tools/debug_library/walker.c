/*
 * An unwinder by the tables of all modules, which libgcc reads. Since glibc 2.35 it finds the table
 * of a module without a lock, so it may run in a thread that loads a module, or while another one
 * does.
 */
#include "walker.h"
#include "connect.h"
#include "dump_sections.h"

#include "debug/hooks.h"
#include "os/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <unistd.h>
#include <unwind.h>

#pragma weak ft_malloc_debug_register

struct walk {
    uintptr_t first; /* the address to store first: the library's own frames come before it */
    uintptr_t *pcs;
    unsigned most, depth;
};

static _Unwind_Reason_Code store(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    uintptr_t pc = _Unwind_GetIP(context);

    /* Behind the first function of the thread libgcc comes with 0, and ends by itself. */
    if (pc == 0 || (walk->depth == 0 && pc != walk->first))
        return _URC_NO_REASON;
    if (walk->depth == walk->most)
        return _URC_NORMAL_STOP;
    walk->pcs[walk->depth++] = pc;
    return _URC_NO_REASON;
}

// NOLINTNEXTLINE(readability-non-const-parameter): the type of the hook; `store` writes there
static unsigned unwind(void *frame, uintptr_t *pcs, unsigned most, bool *complete)
{
    struct walk walk = {.first = ((const uintptr_t *)frame)[1], .pcs = pcs, .most = most};

    /* Only the end of the stack ends the walk like this. */
    *complete = _Unwind_Backtrace(store, &walk) == _URC_END_OF_STACK && walk.depth > 0;
    return walk.depth;
}

static void append_maps(int fd)
{
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    char text[4096];
    ssize_t got;

    while (maps >= 0 && (got = read(maps, text, sizeof text)) > 0)
        for (ssize_t done = 0, put; done < got; done += put) {
            put = write(fd, text + done, (size_t)(got - done));
            if (put < 0)
                break;
        }
    if (maps >= 0)
        (void)close(maps);
}

/* _dl_find_object() takes no lock, unlike dladdr(). */
static size_t describe(uintptr_t pc, char *text, size_t size)
{
    struct dl_find_object object;
    int length;

    if (_dl_find_object(pointer_to(pc), &object) != 0)
        return 0;
    length = snprintf(text, size, "(%s+%#zx)",
                      object.dlfo_link_map->l_name[0] == '\0' ? program_invocation_name
                                                              : object.dlfo_link_map->l_name,
                      (size_t)(pc - object.dlfo_link_map->l_addr));
    return length < 0 ? 0 : (size_t)length;
}

void walker_begin(void)
{
    static const struct ft_malloc_debug_hooks hooks = {.version = DEBUG_HOOKS_VERSION,
                                                       .size = sizeof hooks,
                                                       .unwind = unwind,
                                                       .append_maps = append_maps,
                                                       .dump = dump_sections,
                                                       .describe = describe,
                                                       .reported = connect_note_chunk};
    uintptr_t pc;
    struct walk walk = {.pcs = &pc, .most = 1};

    if (ft_malloc_debug_register == NULL)
        return;
    /* The first walk of a process may have to load something. */
    (void)_Unwind_Backtrace(store, &walk);
    (void)ft_malloc_debug_register(&hooks);
}
