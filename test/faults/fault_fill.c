/*
 * fault_fill start
 *     Prints what the process has at its start: address space and data, in bytes.
 * fault_fill as|data LIMIT COMMAND...
 *     Executes itself with COMMAND under that limit of address space or data.
 * fault_fill commit RESERVE COMMAND...
 *     Runs COMMAND as a process from which the kernel holds back RESERVE KiB of what it would still
 *     commit to others (vm.overcommit_memory is 2). Also prints how many bytes were left to it each
 *     time.
 * fault_fill fill SIZE OTHER
 *     Allocates chunks of SIZE until there is no memory, frees them, and does that again; then
 *     chunks of OTHER. Prints how many bytes it got each time.
 */
#include "faults/status.h"
#include "support/pattern.h"
#include "support/require.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* A chunk begins with the address of the previous chunk. The rest is the pattern of its number. */
struct chunk {
    struct chunk *before;
};

/* 0 if it was not asked for */
static size_t reserve_kib, data_at_start_kib;

/*
 * The kernel holds back a part of what may be committed from each process: its address space / 32,
 * but not more than vm.user_reserve_kbytes. Address space that nobody may touch is not committed.
 * So this process sees a lower limit than all others.
 */
static void hold_back(const char *kib)
{
    reserve_kib = strtoul(kib, NULL, 10);
    void *space = mmap(NULL, reserve_kib * 1024 * 32, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(space != MAP_FAILED, "no address space");
    data_at_start_kib = status_kib("VmData:");
}

/*
 * Returns what the kernel would commit to this process, in KiB, or 0 without such a limit; and what
 * it has committed so far.
 */
static size_t left_kib(void)
{
    if (reserve_kib == 0)
        return 0;
    size_t limit = status_machine_kib("CommitLimit:") - reserve_kib;
    size_t committed = status_machine_kib("Committed_AS:");
    return limit > committed ? limit - committed : 0;
}

static size_t own_kib(void)
{
    return reserve_kib == 0 ? 0 : status_kib("VmData:") - data_at_start_kib;
}

static int show_start(void)
{
    size_t address_space = status_kib("VmSize:"), data = status_kib("VmData:");
    printf("%zu %zu\n", address_space * 1024, data * 1024);
    return 0;
}

static int limit_and_execute(char **arguments)
{
    rlim_t most = strtoul(arguments[2], NULL, 10);
    int resource = strcmp(arguments[1], "as") == 0 ? RLIMIT_AS : RLIMIT_DATA;
    REQUIRE(setrlimit(resource, &(struct rlimit){most, most}) == 0, "setrlimit failed");
    arguments[2] = arguments[0];
    execv(arguments[0], arguments + 2);
    return 127;
}

static struct chunk *add(struct chunk *before, size_t size, size_t number)
{
    struct chunk *chunk = malloc(size);
    if (chunk == NULL)
        return NULL;
    pattern_write(chunk, sizeof *chunk, size, number);
    chunk->before = before;
    return chunk;
}

static void check(struct chunk *chunk, size_t size, size_t number)
{
    struct chunk *before = chunk->before;
    pattern_write(chunk, 0, sizeof *chunk, number);
    REQUIRE(pattern_mismatch(chunk, size, number) == size, "chunk %zu of %zu bytes was changed",
            number, size);
    chunk->before = before;
}

/* There is no memory. But when another process gives memory back, this one can get it. */
static void require_refusal(size_t size)
{
    errno = 0;
    void *chunk = malloc(size);
    REQUIRE(chunk == NULL ? errno == ENOMEM : reserve_kib > 0, "the limit does not last");
    free(chunk);
}

/* Every function must return NULL with ENOMEM, again and again, and live chunks stay intact. */
static void require_none_left(struct chunk *last, size_t size, size_t number)
{
    void *untouched = last;
    for (unsigned n = 0; n < 3; n++) {
        require_refusal(size);
        errno = 0;
        REQUIRE(calloc(1, (size_t)4 << 30) == NULL && errno == ENOMEM,
                "calloc finds what malloc does not");
        errno = 0;
        REQUIRE(realloc(last, (size_t)4 << 30) == NULL && errno == ENOMEM,
                "realloc finds what malloc does not");
        REQUIRE(posix_memalign(&untouched, 4096, (size_t)4 << 30) == ENOMEM && untouched == last,
                "posix_memalign");
    }
    check(last, size, number);
}

/*
 * The bytes that the process got, and those that were left to be committed. They are printed at the
 * end, because printing would allocate.
 */
struct filled {
    size_t bytes, left;
};

/*
 * Returns how many bytes the process can get in chunks of this size. All of them are freed in the
 * end.
 */
static struct filled fill(size_t size)
{
    struct chunk *last = NULL, *next = NULL;
    size_t count = 0, left = 0;
    unsigned refusals = 0;
    do {
        errno = 0;
        while ((next = add(last, size, count)) != NULL) {
            last = next;
            count++;
        }
        REQUIRE(errno == ENOMEM, "errno is %d", errno);
        /* Other processes come and go meanwhile, and what they had committed becomes available. */
        left = left_kib();
    } while (left > own_kib() / 16 && ++refusals < 100);
    left += own_kib();
    REQUIRE(count > 2, "no memory at all");
    require_none_left(last, size, count - 1);
    next = last->before;
    free(last);
    last = add(next, size, count - 1);
    if (last == NULL) {
        REQUIRE(left_kib() * 1024 < 2 * size && reserve_kib > 0,
                "what was freed cannot be had again");
        last = next;
        count--;
    }
    for (size_t n = count; n-- > 0; last = next) {
        check(last, size, n);
        next = last->before;
        free(last);
    }
    return (struct filled){count * size, left * 1024};
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "start") == 0)
        return show_start();
    if (argc > 3 && strcmp(argv[1], "commit") == 0) {
        hold_back(argv[2]);
        argc -= 2;
        argv += 2;
    }
    if (argc > 3 && strcmp(argv[1], "fill") != 0)
        return limit_and_execute(argv);
    REQUIRE(argc == 4, "usage: see the source");
    size_t size = strtoul(argv[2], NULL, 10);
    struct filled filled[3];
    for (unsigned way = 0; way < 3; way++)
        filled[way] = fill(way < 2 ? size : strtoul(argv[3], NULL, 10));
    for (unsigned way = 0; way < 3; way++) {
        printf("%zu ", filled[way].bytes);
        if (reserve_kib > 0)
            printf("%zu ", filled[way].left);
    }
    return 0;
}
