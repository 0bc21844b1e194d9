/*
 * The functions of the prefixed build of the library (libft_malloc_prefixed.a), for test programs
 * that hold libc's allocator and ours side by side. show_alloc_mem keeps its own name there.
 */
#ifndef FT_TEST_SUPPORT_PREFIXED_H
#define FT_TEST_SUPPORT_PREFIXED_H

#include "ft_malloc.h"

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The soak has declared most of them as other names of the shared library's functions:
 * test/soak/own_names.h.
 */
#ifndef FT_TEST_SOAK_OWN_NAMES_H
/*
 * Unit tests also see the declarations of src/api/api.h.
 * NOLINTBEGIN(readability-redundant-declaration)
 */
void *ft_malloc(size_t size);
void ft_free(void *pointer);
void *ft_calloc(size_t count, size_t size);
void *ft_realloc(void *pointer, size_t size);
void *ft_reallocarray(void *pointer, size_t count, size_t size);

void *ft_aligned_alloc(size_t alignment, size_t size);
void *ft_memalign(size_t alignment, size_t size);
int ft_posix_memalign(void **pointer, size_t alignment, size_t size);
void *ft_valloc(size_t size);
void *ft_pvalloc(size_t size);

void ft_cfree(void *pointer);
void ft_free_sized(void *pointer, size_t size);
void ft_free_aligned_sized(void *pointer, size_t alignment, size_t size);
size_t ft_malloc_usable_size(void *pointer);

int ft_malloc_trim(size_t pad);
struct mallinfo2 ft_mallinfo2(void);
/* NOLINTEND(readability-redundant-declaration) */
#endif

struct mallinfo ft_mallinfo(void);
int ft_mallopt(int parameter, int value);
void ft_print_stats(void);
int ft_malloc_info(int options, FILE *stream);

#ifdef __cplusplus
}
#endif

#endif
