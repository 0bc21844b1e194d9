/*
 * Frees, reallocs and questions about pointers that are not those of live chunks.
 */
#include "programs.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static char global[64];

static bool free_it(void *pointer)
{
    free(opaque(pointer));
    return false;
}

static bool twice(size_t size)
{
    char *chunk = chunk_of(size);

    free(chunk);
    return free_it(chunk);
}

static bool double_free_tiny(void)
{
    return twice(40);
}

static bool double_free_small(void)
{
    return twice(3000);
}

static bool double_free_large(void)
{
    return twice(300000);
}

static bool double_free_huge(void)
{
    return twice(40 << 20);
}

static bool double_free_empty(void)
{
    return twice(0);
}

static bool double_free_after_others(void)
{
    char *first = chunk_of(40), *second = chunk_of(40);

    free(first);
    free(second);
    return free_it(first);
}

/* The quarantine keeps the chunk from being handed out meanwhile. */
static bool double_free_after_allocations(void)
{
    char *chunk = chunk_of(40);

    free(chunk);
    for (unsigned n = 0; n < 5; n++)
        (void)chunk_of(40);
    return free_it(chunk);
}

static bool double_free_of_aligned(void)
{
    void *chunk = opaque(aligned_alloc(256, 512));

    free(chunk);
    return free_it(chunk);
}

static bool free_after_realloc(void)
{
    char *chunk = chunk_of(40);

    if (realloc(opaque(chunk), 100000) == NULL)
        return false;
    return free_it(chunk);
}

static bool free_after_realloc_to_nothing(void)
{
    char *chunk = chunk_of(40);

    // NOLINTNEXTLINE: it frees
    (void)!realloc(opaque(chunk), 0);
    return free_it(chunk);
}

static bool free_stack(void)
{
    char local[64];

    return free_it(local);
}

static bool free_global(void)
{
    return free_it(global);
}

static bool free_code(void)
{
    return free_it((void *)(uintptr_t)free_code);
}

static bool free_constant(void)
{
    return free_it((void *)(uintptr_t) "text");
}

static bool free_number(void)
{
    return free_it((void *)(uintptr_t)0x1234560);
}

static bool free_all_ones(void)
{
    return free_it((void *)UINTPTR_MAX);
}

static bool free_mapping(void)
{
    return free_it(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static bool free_interior_tiny(void)
{
    return free_it(chunk_of(200) + 16);
}

static bool free_interior_small(void)
{
    return free_it(chunk_of(3000) + 512);
}

static bool free_interior_large(void)
{
    return free_it(chunk_of(300000) + 4096);
}

static bool free_misaligned(void)
{
    return free_it(chunk_of(200) + 1);
}

static bool free_in_front(void)
{
    return free_it(chunk_of(200) - 8);
}

static bool free_past_end(void)
{
    return free_it(chunk_of(40) + 40);
}

static bool free_of_never_allocated(void)
{
    return free_it(chunk_of(40) + (200 << 10));
}

static bool realloc_it(void *pointer)
{
    // NOLINTNEXTLINE: it does not return
    (void)!realloc(opaque(pointer), 100);
    return false;
}

static bool realloc_freed(void)
{
    char *chunk = chunk_of(40);

    free(chunk);
    return realloc_it(chunk);
}

static bool realloc_interior(void)
{
    return realloc_it(chunk_of(200) + 32);
}

static bool realloc_stack(void)
{
    char local[64];

    return realloc_it(local);
}

static bool usable_size_freed(void)
{
    char *chunk = chunk_of(40);

    free(chunk);
    (void)malloc_usable_size(opaque(chunk));
    return false;
}

static bool usable_size_interior(void)
{
    (void)malloc_usable_size(opaque(chunk_of(200) + 16));
    return false;
}

static bool free_forgotten_in_list(void)
{
    struct node {
        struct node *next;
        char rest[24];
    } *last = NULL, *next;

    for (unsigned n = 0; n < 10; n++) {
        struct node *node = (struct node *)(void *)chunk_of(sizeof *node);

        node->next = last;
        last = node;
    }
    free(last->next); /* and again below */
    for (; last != NULL; last = next) {
        next = last->next;
        free_it(last);
    }
    return false;
}

#define DOUBLE "free\\(\\): double free of 0x"
#define INVALID "free\\(\\): invalid pointer 0x"

static const struct program table[] = {
    {"double_free_tiny", double_free_tiny, REPORTED, DOUBLE "[0-9a-f]+ \\(TINY, 40 bytes\\)"},
    {"double_free_small", double_free_small, REPORTED, DOUBLE "[0-9a-f]+ \\(SMALL, 3000"},
    {"double_free_large", double_free_large, REPORTED, DOUBLE "[0-9a-f]+ \\(LARGE, 300000"},
    {"double_free_huge", double_free_huge, REPORTED, DOUBLE},
    {"double_free_empty", double_free_empty, REPORTED, DOUBLE},
    {"double_free_after_others", double_free_after_others, REPORTED, DOUBLE},
    {"double_free_after_allocations", double_free_after_allocations, REPORTED, DOUBLE},
    {"double_free_of_aligned", double_free_of_aligned, REPORTED, DOUBLE},
    {"free_after_realloc", free_after_realloc, REPORTED, DOUBLE},
    {"free_after_realloc_to_nothing", free_after_realloc_to_nothing, REPORTED, DOUBLE},
    {"free_stack", free_stack, REPORTED, INVALID},
    {"free_global", free_global, REPORTED, INVALID},
    {"free_code", free_code, REPORTED, INVALID},
    {"free_constant", free_constant, REPORTED, INVALID},
    {"free_number", free_number, REPORTED, INVALID},
    {"free_all_ones", free_all_ones, REPORTED, INVALID},
    {"free_mapping", free_mapping, REPORTED, INVALID},
    {"free_interior_tiny", free_interior_tiny, REPORTED, INVALID ".*inside the chunk"},
    {"free_interior_small", free_interior_small, REPORTED, INVALID ".*inside the chunk"},
    {"free_interior_large", free_interior_large, REPORTED, INVALID ".*inside the chunk"},
    {"free_misaligned", free_misaligned, REPORTED, INVALID ".*inside the chunk"},
    {"free_in_front", free_in_front, REPORTED, INVALID},
    {"free_past_end", free_past_end, REPORTED, INVALID},
    {"free_of_never_allocated", free_of_never_allocated, REPORTED, INVALID},
    {"realloc_freed", realloc_freed, REPORTED, "realloc\\(\\): double free"},
    {"realloc_interior", realloc_interior, REPORTED, "realloc\\(\\): invalid pointer"},
    {"realloc_stack", realloc_stack, REPORTED, "realloc\\(\\): invalid pointer"},
    {"usable_size_freed", usable_size_freed, REPORTED, "malloc_usable_size\\(\\): double free"},
    {"usable_size_interior", usable_size_interior, REPORTED, "malloc_usable_size\\(\\): invalid"},
    {"free_forgotten_in_list", free_forgotten_in_list, REPORTED, DOUBLE},
};
PROGRAMS(frees, "free");
