/*
 * What happens when a check fails, and how the library begins.
 */
#include "checked.h"
#include "connect.h"
#include "dump_signal.h"
#include "fault.h"
#include "stack.h"
#include "walker.h"

#include "debug/access.h"

#include <link.h>

#pragma weak ft_malloc_bounds
#pragma weak ft_malloc_report_access

/* Where libft_malloc.so is mapped. Written by the constructor. */
static uintptr_t core_start, core_end;

static int note_core(struct dl_phdr_info *info, size_t size, void *context)
{
    uintptr_t start = UINTPTR_MAX, end = 0, wanted = (uintptr_t)context;

    (void)size;
    for (unsigned n = 0; n < info->dlpi_phnum; n++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[n];
        uintptr_t first = info->dlpi_addr + header->p_vaddr;

        if (header->p_type != PT_LOAD)
            continue;
        start = first < start ? first : start;
        end = first + header->p_memsz > end ? first + header->p_memsz : end;
    }
    if (wanted < start || wanted >= end)
        return 0;
    core_start = start;
    core_end = end;
    return 1;
}

/* Without libft_malloc.so, all functions are let pass. */
__attribute__((constructor)) static void begin(void)
{
    if (ft_malloc_report_access == NULL || !bounds_begin())
        return;
    (void)dl_iterate_phdr(note_core, pointer_to((uintptr_t)ft_malloc_bounds));
    fault_begin();
    walker_begin();
    dump_signal_begin();
    connect_begin();
}

__attribute__((destructor)) static void end(void)
{
    connect_end();
}

/* The library wipes free chunks, and copies all that a chunk has; so its own calls are exempt. */
bool checked_is_core(const void *caller)
{
    return (uintptr_t)caller - core_start < core_end - core_start;
}

void checked_fail(const char *function, const void *pointer, size_t bytes, bool write,
                  const void *caller)
{
    const struct ft_malloc_access access = {
        .size = sizeof access,
        .function = function,
        .pointer = pointer,
        .bytes = bytes,
        .write = write,
        .write_stack = stack_write,
    };

    if (!checked_is_core(caller))
        ft_malloc_report_access(&access);
}
