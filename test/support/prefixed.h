/*
 * The functions of the prefixed build of the library (libft_malloc_prefixed.a), for test programs that hold
 * libc's allocator and ours side by side. show_alloc_mem keeps its own name there.
 */
#ifndef FT_TEST_SUPPORT_PREFIXED_H
#define FT_TEST_SUPPORT_PREFIXED_H

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

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
struct mallinfo ft_mallinfo(void);
struct mallinfo2 ft_mallinfo2(void);
int ft_mallopt(int parameter, int value);
void ft_malloc_stats(void);
int ft_malloc_info(int options, FILE *stream);

void show_alloc_mem(void);

#ifdef __cplusplus
}
#endif

#endif
