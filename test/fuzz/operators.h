/*
 * Names for operator new and delete of src/api/operator_new.c. That file is compiled once more with
 * these names, so that the library's operators exist beside those of the C++ runtime, which the
 * fuzzer itself uses.
 */
#ifndef FT_TEST_FUZZ_OPERATORS_H
#define FT_TEST_FUZZ_OPERATORS_H

#include <stddef.h>

#define _Znwm ft_new
#define _Znam ft_new_array
#define _ZnwmSt11align_val_t ft_new_aligned
#define _ZnamSt11align_val_t ft_new_array_aligned
#define _ZdlPv ft_delete
#define _ZdaPv ft_delete_array
#define _ZdlPvm ft_delete_sized
#define _ZdaPvm ft_delete_array_sized
#define _ZdlPvRKSt9nothrow_t ft_delete_nothrow
#define _ZdaPvRKSt9nothrow_t ft_delete_array_nothrow
#define _ZdlPvSt11align_val_t ft_delete_aligned
#define _ZdaPvSt11align_val_t ft_delete_array_aligned
#define _ZdlPvmSt11align_val_t ft_delete_sized_aligned
#define _ZdaPvmSt11align_val_t ft_delete_array_sized_aligned
#define _ZdlPvSt11align_val_tRKSt9nothrow_t ft_delete_aligned_nothrow
#define _ZdaPvSt11align_val_tRKSt9nothrow_t ft_delete_array_aligned_nothrow
#define _ZSt15get_new_handlerv fuzz_get_new_handler
#define _ZSt17__throw_bad_allocv fuzz_throw_bad_alloc
/* Nobody else defines these names. */
#define in_force_new ft_new
#define in_force_new_array ft_new_array
#define in_force_new_aligned ft_new_aligned
#define in_force_new_array_aligned ft_new_array_aligned
#define in_force_delete ft_delete
#define in_force_delete_array ft_delete_array
#define in_force_delete_aligned ft_delete_aligned
#define in_force_delete_array_aligned ft_delete_array_aligned

void *ft_new(size_t size);
void *ft_new_array(size_t size);
void *ft_new_aligned(size_t size, size_t align);
void *ft_new_array_aligned(size_t size, size_t align);
void ft_delete(void *pointer);
void ft_delete_array(void *pointer);
void ft_delete_sized(void *pointer, size_t size);
void ft_delete_array_sized(void *pointer, size_t size);
void ft_delete_nothrow(void *pointer, const void *tag);
void ft_delete_array_nothrow(void *pointer, const void *tag);
void ft_delete_aligned(void *pointer, size_t align);
void ft_delete_array_aligned(void *pointer, size_t align);
void ft_delete_sized_aligned(void *pointer, size_t size, size_t align);
void ft_delete_array_sized_aligned(void *pointer, size_t size, size_t align);
void ft_delete_aligned_nothrow(void *pointer, size_t align, const void *tag);
void ft_delete_array_aligned_nothrow(void *pointer, size_t align, const void *tag);

/* A handler that makes memory available again. */
void (*fuzz_get_new_handler(void))(void);

#endif
