/*
 * What the debug library does for libft_malloc.so: it registers hooks.
 */
#include "walker.h"
#include "connect.h"
#include "dump_sections.h"
#include "stack_walk.h"

#include "debug/hooks.h"
#include "os/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>

#pragma weak ft_malloc_debug_register

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
                                                       .unwind = stack_walk,
                                                       .dump = dump_sections,
                                                       .describe = describe,
                                                       .reported = connect_note_chunk};
    if (ft_malloc_debug_register == NULL)
        return;
    stack_walk_begin();
    (void)ft_malloc_debug_register(&hooks);
}
