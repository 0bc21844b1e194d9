/*
 * The functions of the prefixed library, recorded. The model is compiled with
 * ft_malloc=recorded_malloc and so on, and each thread keeps the life of every chunk that it
 * allocates and frees. The times are taken outside of the calls, so a chunk is certainly live from
 * made_by to freed_from, and certainly not before made_from nor after freed_by.
 */
#ifndef FT_TEST_FAULTS_RECORDED_H
#define FT_TEST_FAULTS_RECORDED_H

#include "faults/locks.h"

#include <stddef.h>
#include <stdint.h>

enum { RECORDED_OPEN = 4096 };

struct life {
    uintptr_t start;
    size_t size;
    uint64_t made_from, made_by;
    uint64_t freed_from, freed_by; /* UINT64_MAX while the chunk is live */
};

struct record {
    struct life *lives;
    size_t count;
    size_t capacity;
    struct locks_moment before; /* the call that is in progress */
    struct locks_tally tally;
    uint32_t open[RECORDED_OPEN]; /* a hash by address: index + 1 of a life that has not ended */
};

uint64_t recorded_now(void);

/*
 * Makes a record for `capacity` lives. The calling thread records into it from recorded_begin() on.
 */
struct record *recorded_create(size_t capacity);
void recorded_destroy(struct record *record);
void recorded_begin(struct record *record);

void *recorded_malloc(size_t size);
void *recorded_calloc(size_t count, size_t size);
void *recorded_realloc(void *pointer, size_t size);
void *recorded_reallocarray(void *pointer, size_t count, size_t size);
void *recorded_aligned_alloc(size_t alignment, size_t size);
void *recorded_memalign(size_t alignment, size_t size);
int recorded_posix_memalign(void **pointer, size_t alignment, size_t size);
void *recorded_valloc(size_t size);
void *recorded_pvalloc(size_t size);
void recorded_free(void *pointer);
void recorded_cfree(void *pointer);
void recorded_free_sized(void *pointer, size_t size);
void recorded_free_aligned_sized(void *pointer, size_t alignment, size_t size);

#endif
