/*
 * What FT_MALLOC_HARDEN=1 promises to programs that misuse nothing: contents survive every
 * resizing, freed memory reads as zero, reuse is delayed and its order is random, and nothing is
 * reported. `hardened_keeps NAME`.
 */
#include "misuse/hardened_sizes.h"
#include "support/pattern.h"
#include "support/require.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUARANTINED = 512 };

extern void show_alloc_mem(void) __attribute__((weak));

static void keep_usable_size(void)
{
    for (size_t n = 0; n < HARDEN_SIZES; n++) {
        size_t size = hardened_sizes[n];
        void *chunk = hardened_allocate(size);
        void *zeroed = calloc(1, size);
        void *resized = realloc(hardened_allocate(100), size + 1);
        REQUIRE(malloc_usable_size(chunk) == size, "malloc(%zu): %zu bytes are usable", size,
                malloc_usable_size(chunk));
        REQUIRE(malloc_usable_size(zeroed) == size, "calloc(%zu): %zu bytes are usable", size,
                malloc_usable_size(zeroed));
        REQUIRE(malloc_usable_size(resized) == size + 1, "realloc(%zu): %zu bytes are usable",
                size + 1, malloc_usable_size(resized));
        free(chunk), free(zeroed), free(resized);
    }
}

/* Resizes from each size to each other one and back. */
static void keep_contents(void)
{
    for (size_t from = 0; from < HARDEN_SIZES; from++)
        for (size_t to = 0; to < HARDEN_SIZES; to++) {
            size_t old = hardened_sizes[from];
            size_t new = hardened_sizes[to];
            size_t kept = old < new ? old : new;
            unsigned char *chunk = hardened_allocate(old);
            if (new == 0)
                new = 1;
            chunk = realloc(chunk, new);
            REQUIRE(chunk != NULL, "no memory");
            hardened_require_contents(chunk, kept, old);
            REQUIRE(malloc_usable_size(chunk) == new, "%zu to %zu: %zu bytes are usable", old, new,
                    malloc_usable_size(chunk));
            pattern_write(chunk, 0, new, new);
            chunk = realloc(chunk, old + 1);
            REQUIRE(chunk != NULL, "no memory");
            hardened_require_contents(chunk, new < old + 1 ? new : old + 1, new);
            free(chunk);
        }
}

/* A chunk that grows and shrinks in small steps, most of them in place. */
static void keep_contents_in_steps(void)
{
    static const size_t most[] = {200, 1500, 9000, 300000};
    for (size_t n = 0; n < sizeof most / sizeof *most; n++) {
        size_t step = most[n] / 150 + 1;
        size_t size = step;
        unsigned char *chunk = malloc(size);
        for (unsigned round = 0; round < 600; round++) {
            size_t next = round / 150 % 2 == 0 ? size + step : size - step;
            pattern_write(chunk, 0, size, most[n]);
            chunk = realloc(chunk, next);
            REQUIRE(chunk != NULL, "no memory");
            hardened_require_contents(chunk, next < size ? next : size, most[n]);
            size = next;
        }
        free(chunk);
    }
}

static void keep_calloc_zero(void)
{
    for (unsigned round = 0; round < 20; round++)
        for (size_t n = 0; n < HARDEN_SIZES; n++) {
            size_t size = hardened_sizes[n];
            unsigned char *chunk = calloc(1, size);
            REQUIRE(chunk != NULL && pattern_first_nonzero(chunk, size) == size,
                    "calloc(%zu) is not zero", size);
            memset(chunk, 0xEE, size);
            free(chunk);
        }
}

/* Freed LARGE memory cannot be read any more, and a chunk of 0 bytes has no memory. */
static void keep_freed_zero(void)
{
    for (size_t n = 0; n < HARDEN_SIZES; n++) {
        size_t size = hardened_sizes[n];
        if (size == 0 || size >= 262144)
            continue;
        unsigned char *chunk = hardened_allocate(size);
        free(chunk);
        REQUIRE(pattern_first_nonzero(chunk, size + 1) == size + 1, "%zu freed bytes are not zero",
                size); // NOLINT
        /* The same for what realloc moved away from, or cut off. */
        chunk = hardened_allocate(size);
        unsigned char *moved = realloc(chunk, size * 2 + 100);
        REQUIRE(moved != NULL && moved != chunk, "%zu bytes grow where they are", size);
        REQUIRE(pattern_first_nonzero(chunk, size) == size,
                "what realloc left is not zero"); // NOLINT
        free(moved);
    }
}

/* Everything that is handed out is zero, also where threads free each other's chunks. */
static void *free_all(void *chunks)
{
    void **each = chunks;
    for (size_t n = 0; n < 1000; n++)
        free(each[n]);
    return NULL;
}

static void keep_remote_zero(void)
{
    static void *chunks[1000];
    for (size_t n = 0; n < HARDEN_SIZES; n++) {
        size_t size = hardened_sizes[n];
        pthread_t thread;
        if (size > 4096)
            continue;
        for (unsigned round = 0; round < 5; round++) {
            for (size_t i = 0; i < 1000; i++) {
                chunks[i] = malloc(size);
                REQUIRE(chunks[i] != NULL && pattern_first_nonzero(chunks[i], size) == size,
                        "%zu bytes are handed out and not zero", size);
                memset(chunks[i], 0xEE, size);
            }
            REQUIRE(pthread_create(&thread, NULL, free_all, chunks) == 0, "pthread_create failed");
            pthread_join(thread, NULL);
        }
    }
}

static void keep_reuse_delayed(void)
{
    unsigned char *chunk = hardened_allocate(42);
    uintptr_t freed = (uintptr_t)chunk;
    free(chunk);
    for (size_t n = 1; n < QUARANTINED; n++) {
        unsigned char *other = hardened_allocate(42);
        REQUIRE((uintptr_t)other != freed, "reused after %zu others", n);
        free(other);
    }
}

/*
 * Chunks that were freed one after the other are not handed out in that order, nor in the reverse
 * order.
 */
static void keep_reuse_random(void)
{
    enum { COUNT = 200 };
    unsigned char *chunks[COUNT];
    unsigned upward = 0;
    unsigned downward = 0;
    for (size_t n = 0; n < COUNT; n++)
        chunks[n] = hardened_allocate(100);
    for (size_t n = 1; n < COUNT; n++) {
        upward += chunks[n] == chunks[n - 1] + 112;
        downward += chunks[n] == chunks[n - 1] - 112;
    }
    REQUIRE(upward < COUNT / 4 && downward < COUNT / 4,
            "%u of %u chunks lie behind the one before, %u in front", upward, COUNT, downward);
    for (size_t n = 0; n < COUNT; n++)
        free(chunks[n]);
}

/* For the test that starts this program twice. */
static void print_order(void)
{
    unsigned char *first = hardened_allocate(100);
    for (size_t n = 0; n < 32; n++)
        printf("%td ", hardened_allocate(100) - first);
}

/* Writes what show_alloc_mem() prints into a file. Returns true if a line of it equals this one. */
static bool listed(const char *line)
{
    FILE *file = tmpfile();
    int terminal = dup(STDOUT_FILENO);
    char found[200];
    bool seen = false;
    REQUIRE(file != NULL && terminal >= 0 && show_alloc_mem != NULL, "no file, or no list");
    REQUIRE(dup2(fileno(file), STDOUT_FILENO) == STDOUT_FILENO, "dup2 failed");
    show_alloc_mem();
    REQUIRE(dup2(terminal, STDOUT_FILENO) == STDOUT_FILENO, "dup2 failed");
    close(terminal);
    rewind(file);
    while (fgets(found, sizeof found, file) != NULL)
        seen = seen || strcmp(found, line) == 0;
    (void)fclose(file);
    return seen;
}

static void keep_empty_listed(void)
{
    char *chunk = malloc(0);
    char *resized;
    char line[200];
    (void)snprintf(line, sizeof line, "0x%lX - 0x%lX : 0 bytes\n", (unsigned long)(uintptr_t)chunk,
                   (unsigned long)(uintptr_t)chunk);
    REQUIRE(chunk != NULL && malloc(0) != chunk && malloc_usable_size(chunk) == 0,
            "not a chunk of its own");
    REQUIRE(listed(line), "show_alloc_mem() does not list %s", line);
    resized = realloc(chunk, 100);
    REQUIRE(resized != NULL && resized != chunk, "it stays where it is");
    memset(resized, 0x55, 100);
    REQUIRE(!listed(line), "show_alloc_mem() still lists %s", line);
    free(resized);
}

static const struct {
    const char *name;
    void (*run)(void);
} promises[] = {
    {"usable-size", keep_usable_size},
    {"contents", keep_contents},
    {"contents-in-steps", keep_contents_in_steps},
    {"calloc-zero", keep_calloc_zero},
    {"freed-zero", keep_freed_zero},
    {"remote-zero", keep_remote_zero},
    {"reuse-delayed", keep_reuse_delayed},
    {"reuse-random", keep_reuse_random},
    {"empty-listed", keep_empty_listed},
    {"order", print_order},
};

int main(int argc, char **argv)
{
    REQUIRE(argc == 2, "usage: hardened_keeps NAME");
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++)
        if (strcmp(argv[1], promises[i].name) == 0) {
            promises[i].run();
            return 0;
        }
    REQUIRE(!"known promise", "no promise named %s", argv[1]);
}
