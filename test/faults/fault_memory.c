/*
 * A fixed piece of work of several threads, on a kernel that refuses what FT_FAULT_PLAN says. A
 * call fails cleanly, and only if the kernel refused something. Live chunks stay intact, and the
 * list shows them with their sizes and nothing else. In the end all memory can be freed and used
 * again. Prints the number of calls, of refused calls, and of requests that failed.
 */
#include "faults/kernel.h"
#include "support/capture.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/shown.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS = 3, ITEMS = 176, GUEST_ITEMS = 8, HEAD = 512, TRIES = 3, SMALL_MOST = 256 * 1024 };

struct item {
    char *start; /* NULL if no chunk is held */
    size_t size;
};

/*
 * One thread at a time uses an item: its worker, after the barrier its neighbour, and in the end
 * the main thread.
 */
static struct item items[WORKERS][ITEMS];
static pthread_barrier_t all_filled;
static atomic_ulong failures;

static uint64_t tag_of(const struct item *item)
{
    return (uint64_t)(item - &items[0][0]) * 2;
}

static size_t head_of(size_t size)
{
    return size < HEAD ? size : HEAD;
}

/* Fills only the beginning and the end of long chunks. */
static void fill(const struct item *item)
{
    pattern_write(item->start, 0, head_of(item->size), tag_of(item));
    if (item->size >= (size_t)2 * HEAD)
        pattern_write(item->start + item->size - HEAD, 0, HEAD, tag_of(item) + 1);
}

static void check(const struct item *item)
{
    size_t head = head_of(item->size);
    if (item->start == NULL)
        return;
    REQUIRE(pattern_mismatch(item->start, head, tag_of(item)) == head,
            "%p of %zu bytes: the beginning changed", (void *)item->start, item->size);
    if (item->size >= (size_t)2 * HEAD)
        REQUIRE(pattern_mismatch(item->start + item->size - HEAD, HEAD, tag_of(item) + 1) == HEAD,
                "%p of %zu bytes: the end changed", (void *)item->start, item->size);
}

static char *request(size_t kind, char *old, size_t size)
{
    static void *const untouched = &items;
    size_t align = kind == 4 ? 4096 : (size_t)16 << kind % 3;
    void *start = untouched;
    errno = 0;
    if (old != NULL)
        return ft_realloc(old, size);
    switch (kind % 5) {
    case 0:
        return ft_calloc(1, size);
    case 1:
        return ft_memalign(align, size);
    case 2:
        errno = ft_posix_memalign(&start, align, size);
        REQUIRE((errno == 0) != (start == untouched), "posix_memalign gives %d and %p", errno,
                start);
        return errno == 0 ? start : NULL;
    default:
        return ft_malloc(size);
    }
}

/*
 * NULL is allowed only if the kernel refused something to this thread, which must have asked for
 * it.
 */
static char *insist(size_t kind, char *old, size_t size)
{
    for (unsigned n = 0; n < TRIES; n++) {
        unsigned long refused = kernel_refused_here();
        char *start = request(kind, old, size);
        if (start != NULL)
            return start;
        REQUIRE(errno == ENOMEM, "errno is %d", errno);
        REQUIRE(kernel_refused_here() > refused, "no %zu bytes, though nothing was refused", size);
        REQUIRE(kernel_refuses(KERNEL_MAP), "no %zu bytes, though no mapping was refused", size);
        atomic_fetch_add(&failures, 1);
    }
    return NULL;
}

static void obtain(struct item *item, size_t kind, size_t size)
{
    char *start = insist(kind, NULL, size);
    if (start == NULL)
        return;
    if (kind % 5 == 0)
        REQUIRE(pattern_first_nonzero(start, head_of(size)) == head_of(size) &&
                    pattern_first_nonzero(start + size - head_of(size), head_of(size)) ==
                        head_of(size),
                "calloc: not zero");
    *item = (struct item){start, size};
    fill(item);
}

static void resize(struct item *item, size_t size)
{
    size_t kept = head_of(item->size < size ? item->size : size);
    if (item->start == NULL)
        return;
    check(item);
    char *start = insist(0, item->start, size);
    if (start != NULL) {
        REQUIRE(pattern_mismatch(start, kept, tag_of(item)) == kept, "realloc lost the contents");
        *item = (struct item){start, size};
        fill(item);
    }
    check(item);
}

static void drop(struct item *item)
{
    check(item);
    errno = 12345;
    ft_free(item->start);
    REQUIRE(errno == 12345, "free changed errno");
    item->start = NULL;
}

/* Sizes of all zones. The first worker has more SMALL chunks than a heap holds. */
static size_t size_of(size_t worker, size_t n)
{
    if (n < 26)
        return n * 37;
    if (n < 40)
        return (n - 26) * 3000 + 1000;
    if (n < ITEMS - 8)
        return worker == 0 ? SMALL_MOST - n % 50 * 100 : 1500;
    return (n - ITEMS + 8) * 200001 + 300000;
}

static void change_sizes(struct item *own)
{
    for (size_t n = 0; n < ITEMS; n += 19)
        resize(&own[n], own[n].size < 20000 ? own[n].size * 3 + 10 : own[n].size + 50000);
    for (size_t n = 5; n < ITEMS; n += 17)
        resize(&own[n], own[n].size / 4 + 1);
    for (size_t size = 1000; size < (size_t)4 << 20; size *= 5)
        resize(&own[7], size);
    resize(&own[7], 500000);
    resize(&own[7], 50);
}

/* A short-lived thread frees chunks of others and leaves some of its own behind. */
static void *visit(void *argument)
{
    struct item *of_host = argument;
    for (size_t n = 0; n < GUEST_ITEMS; n++) {
        drop(&of_host[n * 21]);
        obtain(&of_host[n * 21], n, n * n * n * 300 + n);
    }
    return NULL;
}

static void receive_guest(struct item *own)
{
    pthread_t guest;
    REQUIRE(pthread_create(&guest, NULL, visit, own) == 0, "no thread");
    REQUIRE(pthread_join(guest, NULL) == 0, "cannot join");
}

static void write_much(void)
{
    static const char zeros[1 << 16];
    REQUIRE(write(STDOUT_FILENO, zeros, sizeof zeros) == sizeof zeros, "cannot write");
}

/* The thread has its arena from then on. */
static void prepare(struct capture *capture)
{
    kernel_exempt(true);
    capture_open(capture, STDOUT_FILENO);
    capture_call(capture, write_much);
    kernel_exempt(false);
}

/* A list that was refused no memory contains all of these items. */
static void show(struct capture *capture, struct item *first, size_t count, bool only_these)
{
    struct shown shown;
    size_t held = 0, bytes = 0;
    unsigned long refused = kernel_refused_here();
    capture_call(capture, show_alloc_mem);
    /*
     * A LARGE chunk may then be mapped in the hole of a heap, and is listed after it, so out of
     * order.
     */
    if (kernel_refused_here() != refused || kernel_holes())
        return;
    REQUIRE(shown_parse(&shown, capture->text, capture->length), "%s", shown.error);
    for (size_t n = 0; n < count; n++) {
        if (first[n].start == NULL)
            continue;
        const struct shown_chunk *chunk = shown_find(&shown, first[n].start);
        REQUIRE(chunk != NULL, "%p of %zu bytes is not shown", (void *)first[n].start,
                first[n].size);
        REQUIRE(chunk->size == first[n].size, "%p of %zu bytes is shown with %zu",
                (void *)first[n].start, first[n].size, chunk->size);
        held++;
        bytes += first[n].size;
    }
    REQUIRE(!only_these || (shown.chunk_count == held && shown.total == bytes),
            "%zu chunks of %zu bytes are shown, %zu of %zu are held", shown.chunk_count,
            shown.total, held, bytes);
    shown_free(&shown);
}

static void show_own(struct item *own)
{
    struct capture capture;
    capture_private_descriptors();
    prepare(&capture);
    show(&capture, own, ITEMS, false);
    kernel_exempt(true);
    capture_close(&capture);
    kernel_exempt(false);
}

static void *work(void *argument)
{
    size_t worker = (size_t)argument;
    struct item *own = items[worker];
    struct item *neighbours = items[(worker + 1) % WORKERS];
    for (size_t n = 0; n < ITEMS; n++)
        if (own[n].start == NULL)
            obtain(&own[n], n, size_of(worker, n));
    change_sizes(own);
    pthread_barrier_wait(&all_filled);
    for (size_t n = 0; n < ITEMS; n++)
        if (n / 8 % 2 == 0)
            drop(&neighbours[n]);
    if (worker == 0)
        show_own(neighbours);
    if (worker == 1)
        (void)ft_malloc_trim(0);
    receive_guest(neighbours);
    for (size_t n = 0; n < ITEMS; n++)
        check(&neighbours[n]);
    return NULL;
}

static void run_wave(struct capture *capture)
{
    pthread_t threads[WORKERS];
    for (size_t t = 0; t < WORKERS; t++)
        REQUIRE(pthread_create(&threads[t], NULL, work, (void *)t) == 0, "no thread");
    for (size_t t = 0; t < WORKERS; t++)
        REQUIRE(pthread_join(threads[t], NULL) == 0, "cannot join");
    for (size_t n = 0; n < (size_t)WORKERS * ITEMS; n++)
        check(&items[0][0] + n);
    show(capture, &items[0][0], (size_t)WORKERS * ITEMS, true);
}

static void drop_all(struct capture *capture)
{
    for (size_t n = 0; n < (size_t)WORKERS * ITEMS; n++)
        drop(&items[0][0] + n);
    (void)ft_malloc_trim(0);
    show(capture, &items[0][0], 0, true);
}

int main(void)
{
    struct capture capture;
    pthread_barrier_init(&all_filled, NULL, WORKERS);
    prepare(&capture);
    run_wave(&capture);
    drop_all(&capture);
    kernel_obey();
    unsigned long seen = atomic_load(&failures);
    run_wave(&capture);
    REQUIRE(atomic_load(&failures) == seen, "no memory though there is some again");
    drop_all(&capture);
    printf("calls %lu refused %lu failures %lu\n", kernel_calls(), kernel_refused(), seen);
    return 0;
}
