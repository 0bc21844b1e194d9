/*
 * Chunks of the program's own, each with a header before it. free() and realloc() fail on a chunk
 * without that header. The memory is a mapping of the program's, or comes from the C library's
 * other names.
 */
#ifndef FT_TEST_INTERPOSE_OWN_MEMORY_H
#define FT_TEST_INTERPOSE_OWN_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef SET
#define SET 0
#endif

void *__libc_malloc(size_t size); // NOLINT: the C library's name
void __libc_free(void *pointer);  // NOLINT: as above

enum { OWN_MAGIC = 0x5eed, OWN_SPACE = 64 << 20 };

struct own_header {
    void *start; /* of the memory that holds the chunk */
    size_t size;
    size_t unused;
    size_t magic;
};

static inline void fail(const char *what)
{
    (void)!write(STDERR_FILENO, what, strlen(what));
    (void)!write(STDERR_FILENO, "\n", 1);
    _exit(1);
}

static inline void *own_memory(size_t size)
{
#if SET >= 12
    return __libc_malloc(size);
#else
    static char *space;
    static size_t used;

    if (space == NULL)
        space = mmap(NULL, OWN_SPACE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    used += size;
    return used > OWN_SPACE ? NULL : space + used - size;
#endif
}

static inline void *take(size_t align, size_t size)
{
    char *start;
    uintptr_t at;

    align = align < 16 ? 16 : align;
    start = own_memory(size + sizeof(struct own_header) + align);
    if (start == NULL)
        fail("the program's own memory is used up");
    at = ((uintptr_t)start + sizeof(struct own_header) + align - 1) & ~(align - 1);
    ((struct own_header *)at)[-1] = (struct own_header){start, size, 0, OWN_MAGIC};
    return (void *)at;
}

static inline size_t size_of(void *pointer)
{
    const struct own_header *header = (struct own_header *)pointer - 1;

    if (header->magic != OWN_MAGIC)
        fail("a chunk came to the program's functions that they did not make");
    return header->size;
}

static inline void give(void *pointer)
{
    struct own_header *header = (struct own_header *)pointer - 1;

    size_of(pointer);
    header->magic = 0;
#if SET >= 12
    __libc_free(header->start);
#endif
}

#endif
