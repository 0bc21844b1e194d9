/*
 * Finds out which definitions are in force. The dynamic linker writes the answer into the library's
 * references, while the hidden names of api.h and operator_new.h are always our own definitions. In
 * the static archive the linker does the same.
 *
 * An address can mislead. Where a program that cannot be moved takes the address of free(), that
 * address is, for everyone, the program's stub, which jumps to ours. References that are only
 * called never lead there. So this file is compiled to call through the procedure linkage table,
 * and where an address is not ours, the slots of that table decide.
 */
#include "api/in_force.h"

#include "api/api.h"
#include "api/operator_new.h"
#include "os/os.h"

#include <elf.h>
#include <pthread.h>
#include <stdint.h>

OS_TOUCHED _Atomic int in_force_state;

typedef void function(void);

struct definition {
    /*
     * Volatile, because the compiler would otherwise take the address from a slot that also serves
     * calls.
     */
    function *volatile in_force;
    function *ours;
};

static const struct definition definitions[IN_FORCE_FUNCTIONS] = {
    [IN_FORCE_MALLOC] = {(function *)ft_malloc, (function *)own_malloc},
    [IN_FORCE_FREE] = {(function *)ft_free, (function *)own_free},
    [IN_FORCE_REALLOC] = {(function *)ft_realloc, (function *)own_realloc},
    [IN_FORCE_ALIGNED_ALLOC] = {(function *)ft_aligned_alloc, (function *)own_aligned_alloc},
#ifndef FT_MALLOC_PREFIXED
    [IN_FORCE_NEW] = {(function *)_Znwm, (function *)own_new},
    [IN_FORCE_NEW_ARRAY] = {(function *)_Znam, (function *)own_new_array},
    [IN_FORCE_DELETE] = {(function *)_ZdlPv, (function *)own_delete},
    [IN_FORCE_DELETE_ARRAY] = {(function *)_ZdaPv, (function *)own_delete_array},
    [IN_FORCE_NEW_ALIGNED] = {(function *)_ZnwmSt11align_val_t, (function *)own_new_aligned},
    [IN_FORCE_NEW_ARRAY_ALIGNED] = {(function *)_ZnamSt11align_val_t,
                                    (function *)own_new_array_aligned},
    [IN_FORCE_DELETE_ALIGNED] = {(function *)_ZdlPvSt11align_val_t, (function *)own_delete_aligned},
    [IN_FORCE_DELETE_ARRAY_ALIGNED] = {(function *)_ZdaPvSt11align_val_t,
                                       (function *)own_delete_array_aligned},
#endif
};

OS_TOUCHED static bool replaced[IN_FORCE_FUNCTIONS];
OS_TOUCHED static pthread_once_t once = PTHREAD_ONCE_INIT;

/*
 * The object that this library is part of, by the linker's names. A static program has no dynamic
 * section.
 */
extern const Elf64_Dyn _DYNAMIC[] __attribute__((weak, visibility("hidden")));
extern const Elf64_Ehdr __ehdr_start __attribute__((weak, visibility("hidden")));

static uintptr_t dynamic_value(Elf64_Sxword tag)
{
    for (const Elf64_Dyn *entry = _DYNAMIC; entry != NULL && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag)
            return entry->d_un.d_ptr;
    return 0;
}

/* Returns whether a reference of this object that is only called leads to the function. */
static bool called(function *ours)
{
    uintptr_t base = (uintptr_t)&__ehdr_start;
    uintptr_t start = dynamic_value(DT_JMPREL);
    size_t count = dynamic_value(DT_PLTRELSZ) / sizeof(Elf64_Rela);
    const Elf64_Rela *slots;

    if (base == 0 || start == 0)
        return false;
    /* The dynamic linker leaves an address here, unless it cannot write to that section. */
    slots = pointer_to(start < base ? start + base : start);
    for (size_t i = 0; i < count; i++)
        if (*(const uintptr_t *)pointer_to(base + slots[i].r_offset) == (uintptr_t)ours)
            return true;
    return false;
}

static void look(void)
{
    int state = IN_FORCE_OURS;

    for (size_t i = 0; i < IN_FORCE_FUNCTIONS; i++) {
        replaced[i] =
            definitions[i].in_force != definitions[i].ours && !called(definitions[i].ours);
        if (replaced[i])
            state = IN_FORCE_MIXED;
    }
    /* Release: see in_force.h. */
    atomic_store_explicit(&in_force_state, state, memory_order_release);
}

bool in_force_look(void)
{
    pthread_once(&once, look);
    return atomic_load_explicit(&in_force_state, memory_order_relaxed) ==
           IN_FORCE_OURS; /* relaxed: ordered by the load above */
}

bool in_force_replaced(enum in_force what)
{
    return !in_force_all_ours() && replaced[what];
}

void *in_force_malloc(size_t size)
{
    return ft_malloc(size);
}

void in_force_free(void *pointer)
{
    ft_free(pointer);
}

void *in_force_realloc(void *pointer, size_t size)
{
    return ft_realloc(pointer, size);
}

void *in_force_aligned_alloc(size_t align, size_t size)
{
    return ft_aligned_alloc(align, size);
}

#ifndef FT_MALLOC_PREFIXED

void *in_force_new(size_t size)
{
    return _Znwm(size);
}

void *in_force_new_array(size_t size)
{
    return _Znam(size);
}

void in_force_delete(void *pointer)
{
    _ZdlPv(pointer);
}

void in_force_delete_array(void *pointer)
{
    _ZdaPv(pointer);
}

void *in_force_new_aligned(size_t size, size_t align)
{
    return _ZnwmSt11align_val_t(size, align);
}

void *in_force_new_array_aligned(size_t size, size_t align)
{
    return _ZnamSt11align_val_t(size, align);
}

void in_force_delete_aligned(void *pointer, size_t align)
{
    _ZdlPvSt11align_val_t(pointer, align);
}

void in_force_delete_array_aligned(void *pointer, size_t align)
{
    _ZdaPvSt11align_val_t(pointer, align);
}

#endif
