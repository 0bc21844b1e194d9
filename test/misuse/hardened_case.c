/*
 * One misuse that only FT_MALLOC_HARDEN=1 detects: `hardened_case NAME SIZE`. It first writes to
 * stdout how the library must report it, or nothing where a signal must end it.
 */
#include "misuse/hardened_sizes.h"
#include "support/pattern.h"
#include "support/require.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, ROUNDS = 2000 };

extern void free_sized(void *pointer, size_t size) __attribute__((weak));

static unsigned char *allocate(size_t size)
{
    unsigned char *chunk = malloc(size);
    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    pattern_write(chunk, 0, size, size);
    return chunk;
}

static void announce(const char *function, const char *what, const unsigned char *chunk,
                     size_t size)
{
    char line[200];
    int length = snprintf(line, sizeof line, "ft_malloc: %s%s %p (%s, %zu bytes)\n", function, what,
                          (const void *)chunk, hardened_zone(size), size);
    REQUIRE(write(STDOUT_FILENO, line, (size_t)length) == length, "cannot write");
}

static void announce_overflow(const char *function, const unsigned char *chunk, size_t size)
{
    announce(function, ": written past the end of", chunk, size);
}

static void overflow(unsigned char *chunk, size_t size)
{
    chunk[size] ^= 0x55;
    announce_overflow("free()", chunk, size);
    free(chunk);
}

static void overflow_free(size_t size)
{
    overflow(allocate(size), size);
}

/* The commonest overflow of all: the end of a string. */
static void overflow_nul(size_t size)
{
    unsigned char *chunk = allocate(size);
    chunk[size] = '\0';
    announce_overflow("free()", chunk, size);
    free(chunk);
}

static void overflow_realloc(size_t size)
{
    unsigned char *chunk = allocate(size);
    chunk[size] ^= 0x55;
    announce_overflow("realloc()", chunk, size);
    free(realloc(chunk, size * 3 + 100));
}

/* The size allows the chunk to stay where it is. */
static void overflow_realloc_in_place(size_t size)
{
    unsigned char *chunk = allocate(size);
    chunk[size] ^= 0x55;
    announce_overflow("realloc()", chunk, size);
    free(realloc(chunk, size - 1));
}

static void *free_in_thread(void *chunk)
{
    free(chunk);
    return NULL;
}

static void overflow_thread(size_t size)
{
    unsigned char *chunk = allocate(size);
    pthread_t thread;
    chunk[size] ^= 0x55;
    announce_overflow("free()", chunk, size);
    REQUIRE(pthread_create(&thread, NULL, free_in_thread, chunk) == 0, "pthread_create failed");
    pthread_join(thread, NULL);
}

static void overflow_sized(size_t size)
{
    unsigned char *chunk = allocate(size);
    chunk[size] ^= 0x55;
    announce_overflow("free()", chunk, size);
    REQUIRE(free_sized != NULL, "no free_sized in this process");
    free_sized(chunk, size);
}

/* Writes one byte, whatever the slack is. */
static void wrong_size(size_t size)
{
    unsigned char *chunk = allocate(size);
    char what[50];
    REQUIRE(free_sized != NULL, "no free_sized in this process");
    (void)snprintf(what, sizeof what, ": wrong size %zu for", size - 1);
    announce("free_sized()", what, chunk, size);
    free_sized(chunk, size - 1);
}

static void overflow_calloc(size_t size)
{
    unsigned char *chunk = calloc(1, size);
    REQUIRE(chunk != NULL, "no memory");
    overflow(chunk, size);
}

static void overflow_aligned(size_t size)
{
    unsigned char *chunk = aligned_alloc(64, size);
    REQUIRE(chunk != NULL && (uintptr_t)chunk % 64 == 0, "no memory, or not aligned");
    chunk[size] ^= 0x55;
    /* Multiples of 64 only. The neighbour may be of another zone. */
    char line[200];
    int length = snprintf(line, sizeof line, "ft_malloc: free(): written past the end of %p (",
                          (void *)chunk);
    REQUIRE(write(STDOUT_FILENO, line, (size_t)length) == length, "cannot write");
    free(chunk);
}

/* The byte in front of a chunk is the last byte of its neighbour's slack. */
static void underflow(size_t size)
{
    static unsigned char *chunks[ROUNDS];
    size_t step = (size + 1 + 15) / 16 * 16;
    for (size_t n = 0; n < ROUNDS; n++)
        chunks[n] = allocate(size);
    for (size_t a = 0; a < ROUNDS; a++)
        for (size_t b = 0; b < ROUNDS; b++)
            if (chunks[b] == chunks[a] + step) {
                chunks[b][-1] ^= 0x55;
                announce_overflow("free()", chunks[a], size);
                free(chunks[b]);
                free(chunks[a]);
                return;
            }
    REQUIRE(!"neighbours", "no two chunks of %zu bytes are neighbours", size);
}

/* A free neighbour has no canary. */
static void underflow_alone(size_t size)
{
    unsigned char *chunk = allocate(size);
    chunk[-1] ^= 0x55;
    announce("free()", ": written to free memory in front of", chunk, size);
    free(chunk);
}

static void jump_over_the_canary(size_t size)
{
    unsigned char *chunk = allocate(size);
    chunk[size + 16] ^= 0x55;
    announce("free()", ": written to free memory behind", chunk, size);
    free(chunk);
}

/* The owner receives what another thread has freed, and checks it then. */
static void underflow_thread(size_t size)
{
    unsigned char *chunk = allocate(size);
    pthread_t thread;
    chunk[-1] ^= 0x55;
    announce("free()", ": written to free memory in front of", chunk, size);
    REQUIRE(pthread_create(&thread, NULL, free_in_thread, chunk) == 0, "pthread_create failed");
    pthread_join(thread, NULL);
    /* A chunk of another class, so that nobody is handed the neighbour first. */
    for (size_t n = 0; n < ROUNDS; n++)
        (void)malloc(size * 2 + 5000);
}

static void empty_twice(size_t size)
{
    unsigned char *chunk = malloc(0);
    REQUIRE(chunk != NULL, "no memory");
    free(chunk);
    announce("free()", ": double free of", chunk, size);
    free(chunk); // NOLINT: wrong on purpose
}

static void empty_inside(size_t size)
{
    unsigned char *chunk = malloc(0);
    char line[200];
    int length =
        snprintf(line, sizeof line,
                 "ft_malloc: free(): invalid pointer %p: inside the chunk %p (TINY, %zu bytes)\n",
                 (void *)(chunk + 8), (void *)chunk, size);
    REQUIRE(write(STDOUT_FILENO, line, (size_t)length) == length, "cannot write");
    free(chunk + 8); // NOLINT: wrong on purpose
}

/* Allocates chunks until the one that was written to is among them. */
static void take_all(size_t size)
{
    for (size_t n = 0; n < ROUNDS; n++)
        free(allocate(size));
    for (size_t n = 0; n < ROUNDS; n++)
        (void)allocate(size);
}

static void write_after_free(size_t size, size_t offset)
{
    unsigned char *chunk = allocate(size);
    char line[200];
    int length = snprintf(line, sizeof line, "ft_malloc: memory written to after free: chunk %p\n",
                          (void *)chunk);
    REQUIRE(write(STDOUT_FILENO, line, (size_t)length) == length, "cannot write");
    free(chunk);
    chunk[offset] ^= 0x5A; // NOLINT: wrong on purpose
    take_all(size);
}

static void written_first(size_t size)
{
    write_after_free(size, 0);
}

static void written_last(size_t size)
{
    write_after_free(size, size < 1024 ? size - 1 : 1023);
}

static size_t mapped(size_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

static void touch_before(size_t size)
{
    allocate(size)[-1] = 1;
}

static void touch_behind(size_t size)
{
    allocate(size)[mapped(size)] = 1;
}

static void touch_freed(size_t size)
{
    unsigned char *chunk = allocate(size);
    free(chunk);
    chunk[size / 2] = 1; // NOLINT: wrong on purpose
}

static void read_freed(size_t size)
{
    unsigned char *chunk = allocate(size);
    free(chunk);
    REQUIRE(chunk[0] == 0, "freed memory can be read"); // NOLINT: wrong on purpose
}

static void touch_shrunk(size_t size)
{
    unsigned char *chunk = allocate(size);
    unsigned char *moved = realloc(chunk, 100);
    REQUIRE(moved != NULL, "no memory");
    chunk[0] = 1; // NOLINT: wrong on purpose
}

/* A chunk that was smaller and grew, partly in place; and one that was larger. */
static unsigned char *grown(size_t size)
{
    unsigned char *chunk = allocate(size / 2);
    for (unsigned eighth = 5; eighth <= 8; eighth++) {
        chunk = realloc(chunk, size / 8 * eighth + size % 8);
        REQUIRE(chunk != NULL, "no memory");
    }
    return chunk;
}

static unsigned char *shrunk(size_t size)
{
    unsigned char *chunk = realloc(allocate(size + 3 * PAGE), size);
    REQUIRE(chunk != NULL, "no memory");
    return chunk;
}

static void touch_behind_grown(size_t size)
{
    grown(size)[mapped(size)] = 1;
}

static void touch_behind_shrunk(size_t size)
{
    shrunk(size)[mapped(size)] = 1;
}

static void touch_freed_grown(size_t size)
{
    unsigned char *chunk = grown(size);
    free(chunk);
    chunk[size / 2] = 1; // NOLINT: wrong on purpose
}

static void overflow_grown(size_t size)
{
    overflow(grown(size), size);
}

static void overflow_shrunk(size_t size)
{
    overflow(shrunk(size), size);
}

static size_t heap_size(size_t size)
{
    return (size_t)(hardened_zone(size)[0] == 'T' ? 4 : 32) << 20;
}

/* The last bytes of the range that a heap is aligned to, and the last byte below that range. */
static void touch_heap_end(size_t size)
{
    unsigned char *chunk = allocate(size);
    chunk[heap_size(size) - 1 - ((uintptr_t)chunk & (heap_size(size) - 1))] = 1;
}

static void touch_before_heap(size_t size)
{
    unsigned char *chunk = allocate(size);
    chunk[-(intptr_t)((uintptr_t)chunk & (heap_size(size) - 1)) - 1] = 1;
}

/*
 * Writes everything up to that byte. The bytes between belong to this heap, and nobody uses the
 * rest of it here.
 */
static void overflow_heap(size_t size)
{
    memset(allocate(size), 1, heap_size(size)); // NOLINT: wrong on purpose
}

static const struct {
    const char *name;
    void (*run)(size_t size);
} cases[] = {
    {"overflow-free", overflow_free},
    {"overflow-nul", overflow_nul},
    {"overflow-realloc", overflow_realloc},
    {"overflow-realloc-in-place", overflow_realloc_in_place},
    {"overflow-thread", overflow_thread},
    {"overflow-sized", overflow_sized},
    {"wrong-size", wrong_size},
    {"overflow-calloc", overflow_calloc},
    {"overflow-aligned", overflow_aligned},
    {"underflow", underflow},
    {"underflow-alone", underflow_alone},
    {"jump-over-the-canary", jump_over_the_canary},
    {"underflow-thread", underflow_thread},
    {"empty-twice", empty_twice},
    {"empty-inside", empty_inside},
    {"written-first", written_first},
    {"written-last", written_last},
    {"touch-before", touch_before},
    {"touch-behind", touch_behind},
    {"touch-freed", touch_freed},
    {"read-freed", read_freed},
    {"touch-shrunk", touch_shrunk},
    {"touch-behind-grown", touch_behind_grown},
    {"touch-behind-shrunk", touch_behind_shrunk},
    {"touch-freed-grown", touch_freed_grown},
    {"overflow-grown", overflow_grown},
    {"overflow-shrunk", overflow_shrunk},
    {"touch-heap-end", touch_heap_end},
    {"touch-before-heap", touch_before_heap},
    {"overflow-heap", overflow_heap},
};

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: hardened_case NAME SIZE");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run(strtoull(argv[2], NULL, 10));
            return 0;
        }
    REQUIRE(!"known case", "no case named %s", argv[1]);
}
