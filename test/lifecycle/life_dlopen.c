/*
 * `life_dlopen LIBRARY`: dlopen loads the library into a process that runs on libc's malloc.
 * Threads that are older than the library use it too, so its thread-local storage must fit into
 * what libc has reserved.
 */
#include "support/capture.h"
#include "support/pattern.h"
#include "support/require.h"
#include "support/shown.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNKS = 400, THREADS = 4 };

static struct {
    void *(*malloc)(size_t size);
    void *(*realloc)(void *pointer, size_t size);
    void (*free)(void *pointer);
    size_t (*usable_size)(void *pointer);
    void (*show)(void);
} library;

static pthread_barrier_t loaded;
static void *held[THREADS][CHUNKS];

static size_t size_of(size_t n)
{
    return n * n * 3 + n % 3;
}

static void load(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(handle != NULL, "%s", dlerror());
    const struct {
        const char *name;
        void *place;
    } symbols[] = {{"malloc", &library.malloc},
                   {"realloc", &library.realloc},
                   {"free", &library.free},
                   {"malloc_usable_size", &library.usable_size},
                   {"show_alloc_mem", &library.show}};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *address = dlsym(handle, symbols[i].name);
        REQUIRE(address != NULL, "the library has no %s", symbols[i].name);
        memcpy(symbols[i].place, &address, sizeof address);
    }
    REQUIRE(library.malloc != malloc, "the process runs on the library already");
}

static void make_chunks(size_t thread)
{
    for (size_t n = 0; n < CHUNKS; n++) {
        void *chunk = library.malloc(size_of(n) / 2 + 1);
        chunk = library.realloc(chunk, size_of(n) + 1);
        REQUIRE(chunk != NULL && library.usable_size(chunk) > size_of(n), "no memory");
        pattern_write(chunk, 0, size_of(n) + 1, thread * CHUNKS + n);
        held[thread][n] = chunk;
    }
}

static void *work(void *argument)
{
    pthread_barrier_wait(&loaded);
    make_chunks((size_t)argument);
    return NULL;
}

static void require_all_shown(void)
{
    struct capture capture;
    struct shown shown;
    capture_open(&capture, STDOUT_FILENO);
    capture_call(&capture, library.show);
    REQUIRE(shown_parse(&shown, capture.text, capture.length), "%s", shown.error);
    REQUIRE(shown.chunk_count == (size_t)THREADS * CHUNKS, "%zu chunks are shown",
            shown.chunk_count);
    shown_free(&shown);
    capture_close(&capture);
}

static void verify_and_free(void)
{
    for (size_t n = 0; n < (size_t)THREADS * CHUNKS; n++) {
        void *chunk = held[n / CHUNKS][n % CHUNKS];
        size_t size = size_of(n % CHUNKS) + 1;
        REQUIRE(pattern_mismatch(chunk, size, n) == size, "chunk %zu was changed", n);
        library.free(chunk);
    }
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2, "usage: life_dlopen LIBRARY");
    pthread_t threads[THREADS];
    pthread_barrier_init(&loaded, NULL, THREADS);
    for (size_t t = 1; t < THREADS; t++)
        REQUIRE(pthread_create(&threads[t], NULL, work, (void *)t) == 0, "pthread_create failed");
    load(argv[1]);
    pthread_barrier_wait(&loaded);
    make_chunks(0);
    for (size_t t = 1; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    require_all_shown();
    verify_and_free();
    void *of_libc = malloc(100);
    library.free(of_libc);
    free(of_libc);
    load(argv[1]);
    make_chunks(0);
    printf("loaded by dlopen, foreign chunk %p\n",
           of_libc); // NOLINT: another allocator was given it
    return 0;
}
