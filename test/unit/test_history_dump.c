/*
 * A snapshot that is written while a thread notes calls has no entry that is half of one call and
 * half of another. The test runs in a child, because rings are never unmapped.
 */
#include "unit/noted.h"

#include "debug/dump.h"
#include "debug/snapshot.h"
#include "os/os.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CALLS = 200, DUMPS = 1000, STRIDE = HISTORY_FRAMES + DEPTH };

static atomic_bool enough;

/* The size of each call is its number in the process, as nobody else notes any. */
static void *note_on(void *unused)
{
    for (size_t n = 1; !atomic_load_explicit(&enough, memory_order_relaxed); n++)
        note(EVENT_MALLOC, 16 * n, 0, n);
    return unused;
}

static uint64_t word_of(const char *bytes, unsigned number)
{
    uint64_t word;

    memcpy(&word, bytes + number * sizeof word, sizeof word);
    return word;
}

/* Puts together what the snapshot has of the memory from `start` on. */
static void take(const char *snapshot, uintptr_t start, char *memory, size_t size)
{
    const char *at = snapshot + sizeof(struct snapshot_header);
    struct snapshot_section head;

    memset(memory, 0, size);
    for (;; at += head.type == SNAPSHOT_ZEROS ? 0 : round_up(head.length, 8)) {
        uint64_t from, to;

        memcpy(&head, at, sizeof head);
        at += sizeof head;
        if (head.type == SNAPSHOT_END)
            return;
        from = head.address > start ? head.address : start;
        to = head.address + head.length < start + size ? head.address + head.length : start + size;
        if (head.type == SNAPSHOT_MEMORY && from < to)
            memcpy(memory + (from - start), at + (from - head.address), to - from);
    }
}

/* Returns how many calls the entries have. */
static unsigned check(const char *entries)
{
    unsigned complete = 0;

    for (unsigned n = 0; n < CALLS; n++) {
        const char *entry = entries + (size_t)n * STRIDE * sizeof(uint64_t);
        uint64_t sequence = word_of(entry, HISTORY_SEQUENCE), number = sequence / 2;

        if (sequence % 2 != 0 || sequence == 0)
            continue;
        complete++;
        REQUIRE((number - 1) % CALLS == n && word_of(entry, HISTORY_ORDER) == number &&
                    word_of(entry, HISTORY_TIME) == 1000 + number &&
                    word_of(entry, HISTORY_POINTER) == 16 * number &&
                    word_of(entry, HISTORY_SIZE) == number,
                "call %lu is torn: order %lu, time %lu, size %lu", (unsigned long)number,
                (unsigned long)word_of(entry, HISTORY_ORDER),
                (unsigned long)word_of(entry, HISTORY_TIME),
                (unsigned long)word_of(entry, HISTORY_SIZE));
    }
    return complete;
}

static void check_dump(int fd)
{
    static char entries[CALLS * STRIDE * sizeof(uint64_t)];
    const struct history_ring *ring = atomic_load(&history.rings);
    char *snapshot;
    off_t size;

    REQUIRE(lseek(fd, 0, SEEK_SET) == 0 && dump_write(fd, 0) == 0, "no snapshot");
    size = lseek(fd, 0, SEEK_CUR);
    snapshot = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    REQUIRE(snapshot != MAP_FAILED, "no memory");
    take(snapshot, (uintptr_t)ring->words, entries, sizeof entries);
    REQUIRE(check(entries) > CALLS / 2, "few calls");
    munmap(snapshot, (size_t)size);
}

static void dump_meanwhile(void *unused)
{
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    pthread_t thread;
    (void)unused;

    begin(CALLS, DEPTH);
    REQUIRE(pthread_create(&thread, NULL, note_on, NULL) == 0, "no thread");
    while (history_count() < CALLS)
        sched_yield();
    for (unsigned n = 0; n < DUMPS; n++)
        check_dump(fd);
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
    check_dump(fd);
    close(fd);
}

static void test_no_call_is_torn(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    /* The kernel copies the roots of a snapshot while other threads change them, which is meant. */
    skip();
#endif
    run(dump_meanwhile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_call_is_torn)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
