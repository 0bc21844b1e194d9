/*
 * Included before everything in the soak's load. It makes the prefixed functions, which the model
 * calls, those of the shared library. It uses names of the linker instead of macros, because a
 * compiler that read malloc() would warn of the sizes that the model requests in order to be
 * refused.
 */
#ifndef FT_TEST_SOAK_OWN_NAMES_H
#define FT_TEST_SOAK_OWN_NAMES_H

#include <malloc.h>
#include <stddef.h>

void *ft_malloc(size_t size) __asm__("malloc");
void ft_free(void *pointer) __asm__("free");
void *ft_calloc(size_t count, size_t size) __asm__("calloc");
void *ft_realloc(void *pointer, size_t size) __asm__("realloc");
void *ft_reallocarray(void *pointer, size_t count, size_t size) __asm__("reallocarray");
void *ft_aligned_alloc(size_t alignment, size_t size) __asm__("aligned_alloc");
void *ft_memalign(size_t alignment, size_t size) __asm__("memalign");
int ft_posix_memalign(void **pointer, size_t alignment, size_t size) __asm__("posix_memalign");
void *ft_valloc(size_t size) __asm__("valloc");
void *ft_pvalloc(size_t size) __asm__("pvalloc");
void ft_cfree(void *pointer) __asm__("cfree");
void ft_free_sized(void *pointer, size_t size) __asm__("free_sized");
void ft_free_aligned_sized(void *pointer, size_t alignment,
                           size_t size) __asm__("free_aligned_sized");
size_t ft_malloc_usable_size(void *pointer) __asm__("malloc_usable_size");
int ft_malloc_trim(size_t pad) __asm__("malloc_trim");
struct mallinfo2 ft_mallinfo2(void) __asm__("mallinfo2");

#endif
