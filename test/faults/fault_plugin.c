/*
 * A plugin that allocates in its constructor and destructor, in a thread of its own that runs as
 * long as the plugin is loaded, and in thread-local storage, whose memory libc allocates at the
 * first use in each thread.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void *plugin_use(size_t size);

enum { CHUNKS = 50 };

static _Thread_local char scratch[6000];
static atomic_bool stop;
static pthread_t thread;
static char *made_in_constructor;

static char *make(size_t size, char letter)
{
    char *chunk = malloc(size);
    if (chunk == NULL)
        abort();
    memset(chunk, letter, size);
    return chunk;
}

static void discard(char *chunk, size_t size, char letter)
{
    for (size_t n = 0; n < size; n++)
        if (chunk[n] != letter)
            abort();
    free(chunk);
}

/*
 * The thread must not touch thread-local storage, because the constructor's caller holds the
 * dynamic linker's lock.
 */
static void *work(void *unused)
{
    char *chunks[CHUNKS] = {0};
    for (size_t n = 0; n < CHUNKS || !atomic_load(&stop); n++) {
        size_t at = n % CHUNKS;
        if (chunks[at] != NULL)
            discard(chunks[at], at * at * 10, 't');
        chunks[at] = make(at * at * 10, 't');
    }
    for (size_t n = 0; n < CHUNKS; n++)
        discard(chunks[n], n * n * 10, 't');
    return unused;
}

__attribute__((constructor)) static void begin(void)
{
    made_in_constructor = make(777, 'c');
    if (pthread_create(&thread, NULL, work, NULL) != 0)
        abort();
}

__attribute__((destructor)) static void end(void)
{
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    discard(make(12345, 'd'), 12345, 'd');
    discard(made_in_constructor, 777, 'c');
}

/* Returns a chunk that the caller frees. Each of its bytes is 'u'. */
void *plugin_use(size_t size)
{
    memset(scratch, 'u', sizeof scratch);
    char *chunk = malloc(size);
    if (chunk != NULL)
        for (size_t n = 0; n < size; n++)
            chunk[n] = scratch[n % sizeof scratch];
    return chunk;
}
