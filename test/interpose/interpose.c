/*
 * A program that replaces some functions of the malloc family, and a table of what the C library
 * promises to such programs: what each operation calls of the program's functions, and that each
 * chunk comes back to who made it. Prints the counts; it must print the same on the C library's
 * malloc and on ours.
 *
 * SET: which functions the program has. 0: none. 1 to 8: one of them, around the next definition.
 * 9: malloc, free, calloc and realloc around the C library's other names. 10: these four of its
 * own, on memory of its own. 11: the complete set of its own. 12 and 13: the same with memory from
 * the C library's other names. 10 to 13 have a header before each chunk, so that nobody else can
 * free it.
 */
#define _GNU_SOURCE 1
#include "interpose/own_memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MALLOC, FREE, CALLOC, REALLOC, MEMALIGN, ALIGNED_ALLOC, POSIX_MEMALIGN, USABLE, FUNCTIONS };
static const char *const names[FUNCTIONS] = {
    "malloc", "free", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign", "usable"};
static unsigned counts[FUNCTIONS];

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t align, size_t size);
struct mallinfo __libc_mallinfo(void);
int __libc_mallopt(int param, int val);

// NOLINTBEGIN: the names of the parameters are the program's
#if SET == 1
void *malloc(size_t size)
{
    counts[MALLOC]++;
    return NEXT(malloc)(size);
}
#elif SET == 2
void free(void *pointer)
{
    static __typeof__(&free) next;
    static int looking;

    counts[FREE]++;
    /* The check itself frees something. */
    if (next == NULL && looking++ == 0)
        next = NEXT(free);
    if (next != NULL)
        next(pointer);
}
#elif SET == 3
void *calloc(size_t count, size_t size)
{
    counts[CALLOC]++;
    return NEXT(calloc)(count, size);
}
#elif SET == 4
void *realloc(void *pointer, size_t size)
{
    counts[REALLOC]++;
    return NEXT(realloc)(pointer, size);
}
#elif SET == 5
void *memalign(size_t align, size_t size)
{
    counts[MEMALIGN]++;
    return NEXT(memalign)(align, size);
}
#elif SET == 6
void *aligned_alloc(size_t align, size_t size)
{
    counts[ALIGNED_ALLOC]++;
    return NEXT(aligned_alloc)(align, size);
}
#elif SET == 7
int posix_memalign(void **result, size_t align, size_t size)
{
    counts[POSIX_MEMALIGN]++;
    return NEXT(posix_memalign)(result, align, size);
}
#elif SET == 8
size_t malloc_usable_size(void *pointer)
{
    counts[USABLE]++;
    return NEXT(malloc_usable_size)(pointer);
}
#elif SET == 9
void *malloc(size_t size)
{
    counts[MALLOC]++;
    return __libc_malloc(size);
}
void free(void *pointer)
{
    counts[FREE]++;
    __libc_free(pointer);
}
void *calloc(size_t count, size_t size)
{
    counts[CALLOC]++;
    return __libc_calloc(count, size);
}
void *realloc(void *pointer, size_t size)
{
    counts[REALLOC]++;
    return __libc_realloc(pointer, size);
}
#elif SET >= 10
void *malloc(size_t size)
{
    counts[MALLOC]++;
    return take(16, size);
}
void free(void *pointer)
{
    counts[FREE]++;
    if (pointer != NULL)
        give(pointer);
}
void *calloc(size_t count, size_t size)
{
    counts[CALLOC]++;
    return memset(take(16, count * size), 0, count * size);
}
void *realloc(void *pointer, size_t size)
{
    size_t old = pointer == NULL ? 0 : size_of(pointer);
    void *moved = take(16, size);

    counts[REALLOC]++;
    if (pointer == NULL)
        return moved;
    memcpy(moved, pointer, old < size ? old : size);
    give(pointer);
    return moved;
}
#endif
#if SET == 11 || SET == 13
void *memalign(size_t align, size_t size)
{
    counts[MEMALIGN]++;
    return take(align, size);
}
void *aligned_alloc(size_t align, size_t size)
{
    counts[ALIGNED_ALLOC]++;
    return take(align, size);
}
int posix_memalign(void **result, size_t align, size_t size)
{
    counts[POSIX_MEMALIGN]++;
    *result = take(align, size);
    return 0;
}
void *valloc(size_t size)
{
    return take(4096, size);
}
void *pvalloc(size_t size)
{
    return take(4096, (size + 4095) & ~(size_t)4095);
}
size_t malloc_usable_size(void *pointer)
{
    counts[USABLE]++;
    return pointer == NULL ? 0 : size_of(pointer);
}
#endif

// NOLINTEND
static void *volatile chunk;

static void use_reallocarray(void)
{
    volatile size_t many = SIZE_MAX / 2;

    chunk = malloc(10);
    memcpy(chunk, "hello", sizeof "hello");
    chunk = reallocarray(chunk, 100, 20);
    if (chunk == NULL || strcmp(chunk, "hello") != 0)
        fail("reallocarray lost what was there");
    errno = 0;
    if (reallocarray(NULL, many, 4) != NULL || errno != ENOMEM)
        fail("reallocarray: no ENOMEM");
    free(chunk);
}

static void use_calloc(void)
{
    chunk = calloc(100, 10);
    chunk = realloc(chunk, 100000);
    free(chunk);
}

static void use_strdup(void)
{
    chunk = strdup("a string");
    free(chunk);
    chunk = strndup("a string", 3);
    free(chunk);
}

static void use_asprintf(void)
{
    char *text = NULL;

    if (asprintf(&text, "%0500d", 42) != 500)
        fail("asprintf");
    free(text);
}

static void use_getline(void)
{
    char *line = NULL, text[3000];
    size_t size = 0;
    FILE *stream;

    memset(text, 'x', sizeof text);
    stream = fmemopen(text, sizeof text, "r");
    if (stream == NULL || getline(&line, &size, stream) != sizeof text)
        fail("getline");
    fclose(stream);
    free(line);
}

static void use_memstream(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    for (unsigned n = 0; n < 3000; n++)
        fputs("0123456789", stream);
    if (fclose(stream) != 0 || size != 30000)
        fail("open_memstream");
    free(text);
}

/*
 * In a program with a partial set, the C library's aligned chunks must not go to the program's
 * free().
 */
static void use_aligned(void)
{
#if SET != 10 && SET != 12
    void *aligned = NULL;

    chunk = aligned_alloc(64, 640);
    free(chunk);
    if (posix_memalign(&aligned, 128, 100) != 0 || (uintptr_t)aligned % 128 != 0)
        fail("posix_memalign");
    free(aligned);
    chunk = memalign(256, 100);
    if (malloc_usable_size(chunk) < 100)
        fail("malloc_usable_size");
    chunk = realloc(chunk, 5000);
    free(chunk);
    chunk = valloc(10);
    free(chunk);
#endif
}

#if SET < 10
/* While it holds a chunk of 300,000 bytes. */
static void require_same_figures(void)
{
    struct mallinfo info = __libc_mallinfo();

    if (info.uordblks + info.hblkhd < 300000)
        fail("__libc_mallinfo tells of another heap");
    /* Our library accepts it as long as there is one thread. */
    if (__libc_mallopt(M_ARENA_MAX, 100) != 1)
        fail("__libc_mallopt refuses");
}
#endif

static void use_libc_names(void)
{
    chunk = __libc_memalign(64, 100);
    if ((uintptr_t)chunk % 64 != 0)
        fail("__libc_memalign");
    chunk = __libc_realloc(chunk, 10000);
    __libc_free(chunk);
    chunk = __libc_calloc(10, 10);
    __libc_free(chunk);
    chunk = __libc_malloc(100);
#if SET < 10
    /* These names and the public ones share one heap. */
    free(chunk);
    chunk = malloc(300000);
    require_same_figures();
#endif
    __libc_free(chunk);
}

static void *work(void *argument)
{
    chunk = malloc(1000);
    free(chunk);
    return argument;
}

static void use_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, work, NULL) != 0 || pthread_join(thread, NULL) != 0)
        fail("a thread");
}

/* C23's function and an old one, which today's C library may lack. */
static void use_others(void)
{
    unsigned before[FUNCTIONS];
    /* Looking for a symbol that does not exist allocates, too. */
    const void *kept = memcpy(before, counts, sizeof before);
    void (*sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*aligned)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");
    void (*old)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "cfree");

    for (unsigned n = 0; n < 3; n++) {
        if (sized != NULL)
            sized(malloc(100), 100);
        if (old != NULL)
            old(malloc(100));
#if SET != 10 && SET != 12
        if (aligned != NULL)
            aligned(aligned_alloc(64, 128), 64, 128);
#endif
    }
    (void)aligned, (void)kept;
    if (SET >= 9 && (sized != NULL || old != NULL) && counts[FREE] == before[FREE])
        fail("free_sized and cfree did not go by the program's free");
    /* Not printed, because it differs between C libraries. */
    memcpy(counts, before, sizeof before);
}

/* With an argument, runs without the C library's other names, which another allocator may lack. */
int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*use)(void);
    } table[] = {
        {"reallocarray", use_reallocarray},
        {"calloc, realloc", use_calloc},
        {"strdup", use_strdup},
        {"asprintf", use_asprintf},
        {"getline", use_getline},
        {"open_memstream", use_memstream},
        {"aligned", use_aligned},
        {"__libc names", use_libc_names},
        {"thread", use_thread},
        {"others", use_others},
    };
    static char buffer[8192];

    (void)argv;
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    for (size_t n = 0; n < sizeof table / sizeof table[0]; n++) {
        unsigned before[FUNCTIONS];

        if (argc > 1 && table[n].use == use_libc_names)
            continue;
        memcpy(before, counts, sizeof before);
        table[n].use();
        printf("%s:", table[n].name);
        for (unsigned i = 0; i < FUNCTIONS; i++)
            if (counts[i] != before[i])
                printf(" %s %u", names[i], counts[i] - before[i]);
        printf("\n");
    }
    return 0;
}
