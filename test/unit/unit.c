/*
 * Helpers of the unit tests: child processes, private arenas, counting.
 */
#include "unit/unit.h"

#include "arena/remote.h"
#include "base/bits.h"
#include "bins/limbo.h"
#include "os/os.h"
#include "support/require.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void become_child(void (*body)(void *argument), void *argument, int err)
{
    static const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};
    struct rlimit none = {0, 0};

    /* Otherwise cmocka would run the next test in the child. */
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
        (void)signal(caught[i], SIG_DFL);
    if (dup2(err, STDERR_FILENO) < 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        _exit(126);
    body(argument);
    (void)fflush(NULL);
    _exit(0);
}

static void read_err(int file, struct unit_end *end)
{
    char buffer[4096];
    ssize_t got = pread(file, end->err, sizeof end->err - 1, 0);

    REQUIRE(got >= 0, "cannot read the output of a child");
    end->err[got] = '\0';
    REQUIRE(lseek(file, 0, SEEK_SET) == 0, "lseek failed");
    while ((got = read(file, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < got; i++)
            end->err_lines += buffer[i] == '\n';
}

void unit_in_child(void (*body)(void *argument), void *argument, struct unit_end *end)
{
    int err = memfd_create("stderr", MFD_CLOEXEC);
    int status = 0;
    pid_t pid;

    REQUIRE(err >= 0, "memfd_create failed");
    (void)fflush(NULL);
    pid = fork();
    REQUIRE(pid >= 0, "fork failed");
    if (pid == 0)
        become_child(body, argument, err);
    REQUIRE(waitpid(pid, &status, 0) == pid, "waitpid failed");
    *end = (struct unit_end){.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                             .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0};
    read_err(err, end);
    close(err);
}

bool unit_child_succeeds(void (*body)(void *argument), void *argument)
{
    struct unit_end end;

    unit_in_child(body, argument, &end);
    if (end.exit_code == 0)
        return true;
    printf("child: exit code %d, signal %d, its stderr:\n%s\n", end.exit_code, end.signal, end.err);
    return false;
}

/* Most tests check what is unmapped, so limbo is off. The tests of limbo switch it on. */
__attribute__((constructor)) static void unmap_at_once(void)
{
    limbo_used = false;
}

struct arena *unit_arena(void)
{
    struct arena *arena = arena_create();

    REQUIRE(arena != NULL, "no memory for an arena");
    /* Other threads may visit it already. */
    arena_lock(arena);
    arena->bins.next_tick = BINS_NO_TICKS;
    cache_first(arena)->stacks.next_flush = BINS_NO_TICKS;
    cache_first(arena)->in_use = true;
    cache_use(cache_first(arena));
    arena->tiny.allowance = arena->small.allowance = HEAP_ALLOWANCE_ALL;
    arena_unlock(arena);
    return arena;
}

size_t unit_trim(struct arena *arena)
{
    struct cache *cache = cache_first(arena);

    cache_use(cache);
    arena->tiny.allowance = arena->small.allowance = HEAP_ALLOWANCE_ALL;
    remote_receive_all(cache);
    cache_flush(cache);
    unit_check_kept(&arena->tiny);
    unit_check_kept(&arena->small);
    return arena_trim(arena);
}

void *unit_alloc(struct arena *arena, size_t size)
{
    void *pointer = cache_alloc_aligned(cache_first(arena), size_class_of(size), size);

    REQUIRE(pointer != NULL, "no memory for a chunk of %zu bytes", size);
    return pointer;
}

struct chunk unit_chunk(const void *pointer)
{
    struct chunk chunk;
    uint16_t tag = heap_map_tag((uintptr_t)pointer);

    REQUIRE(tag != TAG_NONE, "%p is in no heap", pointer);
    (void)chunk_find((uintptr_t)pointer, tag, &chunk);
    return chunk;
}

void unit_free(struct arena *arena, void *pointer)
{
    struct chunk chunk = unit_chunk(pointer);

    REQUIRE(chunk.kind == STATE_LIVE && chunk.arena == arena, "%p is no live chunk of this arena",
            pointer);
    cache_free(cache_first(arena), &chunk);
}

static size_t count_in_slab(uintptr_t unit, uint16_t tag, unsigned kind)
{
    struct chunk chunk;
    size_t count = 0;

    for (uintptr_t at = unit; at < unit + UNIT_SIZE; at += CHUNK_ALIGN) {
        enum verdict verdict = chunk_find(at, tag, &chunk);

        count += (verdict == CHUNK_LIVE || verdict == CHUNK_FREED) && chunk.kind == kind;
    }
    return count;
}

static size_t count_in_set(const struct heap_set *set, unsigned kind)
{
    size_t count = 0;

    for (const struct heap *heap = set->heaps; heap != NULL; heap = heap->next)
        for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap); unit++)
            count += count_in_slab(heap->base + (uintptr_t)unit * UNIT_SIZE, set->tag, kind);
    return count;
}

static unsigned bits_in(const uint64_t *map)
{
    return bits_count(map, 0, UNIT_WORDS * 64);
}

void unit_check_kept(const struct heap_set *set)
{
    unsigned kept = 0, used = 0;

    for (const struct heap *heap = set->heaps; heap != NULL; heap = heap->next) {
        for (unsigned unit = 0; unit < heap_units(heap); unit++)
            kept += bit_get(heap->vacant, unit) && bit_get(heap->dirty, unit);
        used += heap_units(heap) - heap_first_unit(heap) - heap->free_units - heap->guard_units -
                bits_in(heap->lost);
    }
    REQUIRE(kept_units(&set->kept) == kept && set->kept.used == used,
            "%u units are kept and %u used, not %u and %u", kept, used, kept_units(&set->kept),
            set->kept.used);
}

static size_t unused_in(const struct heap_set *set)
{
    size_t units = 0;

    unit_check_kept(set);

    for (const struct heap *heap = set->open; heap != NULL; heap = heap->next_open)
        for (unsigned word = 0; word < UNIT_WORDS; word++)
            units += (unsigned)__builtin_popcountll(heap->vacant[word] & heap->dirty[word]);
    return units * UNIT_SIZE;
}

size_t unit_unused(const struct arena *arena)
{
    return unused_in(&arena->tiny) + unused_in(&arena->small);
}

size_t unit_count_state(struct arena *arena, unsigned kind)
{
    return count_in_set(&arena->tiny, kind) + count_in_set(&arena->small, kind);
}

size_t unit_count_heaps(const struct heap_set *set)
{
    size_t count = 0;

    for (const struct heap *heap = set->heaps; heap != NULL; heap = heap->next)
        count++;
    return count;
}

size_t unit_bin_size(const struct stack *stack)
{
    return size_classes[stack->size_class].size;
}

unsigned unit_ring_length(struct stack *stack)
{
    unsigned length = 0;

    for (struct slab *slab = bin_of(stack)->partial; slab != NULL;
         slab = slab->next == bin_of(stack)->partial ? NULL : slab->next) {
        assert_int_equal(slab->place, SLAB_PARTIAL);
        assert_true(slab->free > 0 && slab->free < size_classes[stack->size_class].chunks);
        assert_ptr_equal(slab->next->prev, slab);
        length++;
    }
    return length;
}

static unsigned spare_count(struct stack *stack)
{
    unsigned count = 0;

    for (struct slab *slab = bin_of(stack)->spare; slab != NULL; slab = slab->next, count++) {
        assert_int_equal(slab->place, SLAB_SPARE);
        assert_int_equal(slab->free, size_classes[stack->size_class].chunks);
    }
    return count;
}

void unit_check_bin(struct arena *arena, struct stack *stack, unsigned live)
{
    const struct heap_set *heaps =
        stack->size_class < TINY_CLASSES ? arena->bins.tiny : arena->bins.small;
    unsigned chunks = size_classes[stack->size_class].chunks, slabs = 0, vacant = 0,
             places[4] = {0};

    for (struct heap *heap = heaps->heaps; heap != NULL; heap = heap->next) {
        for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap); unit++) {
            uintptr_t at = heap->base + (uintptr_t)unit * UNIT_SIZE;
            struct slab *slab = heap->set->small ? small_slab(at) : tiny_slab(at);
            uint64_t identity = slab == NULL ? 0 : atomic_load(&slab->identity);

            if ((identity & 1) == 0 || identity_unit(identity) != unit ||
                identity_class(identity) != stack->size_class)
                continue;
            slabs++;
            vacant += slab->free;
            places[slab->place]++;
            assert_true(slab->place != SLAB_FULL || slab->free == 0);
        }
    }
    assert_int_equal(slabs * chunks, vacant + stack_count(stack) + live);
    assert_int_equal(places[SLAB_CURRENT], bin_of(stack)->current != NULL);
    assert_int_equal(places[SLAB_SPARE], spare_count(stack));
    assert_int_equal(places[SLAB_PARTIAL], unit_ring_length(stack));
    assert_true(stack_count(stack) <= stack_limit(stack) &&
                stack_limit(stack) <= stack_limit_max(stack));
    assert_ptr_equal(heaps->arena, arena);
}

int unit_flush_all(void **state)
{
    (void)state;
    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        unit_trim(arena);
    return 0;
}

unsigned unit_units_per_heap(const struct heap_set *set)
{
    return set->small ? heap_units_in(SMALL_HEAP_SIZE) - SMALL_FIRST_UNIT
                      : heap_units_in(TINY_HEAP_SIZE) - TINY_FIRST_UNIT;
}

struct heap *unit_take_units(struct heap_set *set, unsigned units, unsigned *first)
{
    bool clean;
    struct heap *heap = heap_set_take(set, units, first, &clean);

    assert_non_null(heap);
    assert_true(*first >= heap_first_unit(heap) && *first + units <= heap_units(heap));
    return heap;
}

unsigned unit_page_units(void)
{
    return os_page_size() > UNIT_SIZE ? (unsigned)(os_page_size() / UNIT_SIZE) : 1;
}

unsigned unit_page_from(unsigned unit)
{
    return (unsigned)round_up(unit, unit_page_units());
}

struct heap *unit_take_heap(struct heap_set *set)
{
    unsigned first;
    struct heap *heap = unit_take_units(set, 1, &first);

    while (heap->free_units > 0)
        assert_ptr_equal(unit_take_units(set, 1, &first), heap);
    return heap;
}

void unit_take_all(struct heap_set *set, unsigned heaps)
{
    unsigned first;

    for (unsigned units = heaps * unit_units_per_heap(set); units > 0; units--)
        (void)unit_take_units(set, 1, &first);
}

void unit_give_units(struct heap *heap, unsigned first, unsigned units)
{
    unsigned end = first + units;

    /* Freeing the last of them may unmap the heap. */
    for (unsigned guard; first < end; first = guard + 1) {
        guard = bit_next(heap->guards, first, end, 0);
        if (guard > first)
            heap_give(heap, first, guard - first);
    }
}

void unit_give_heap(struct heap *heap)
{
    unit_give_units(heap, heap_first_unit(heap), heap_units(heap) - heap_first_unit(heap));
}

void unit_limit(size_t bytes)
{
    struct rlimit now;

    REQUIRE(getrlimit(RLIMIT_AS, &now) == 0, "getrlimit failed");
    now.rlim_cur = bytes;
    REQUIRE(setrlimit(RLIMIT_AS, &now) == 0, "setrlimit failed");
    os_look_at_process();
}

size_t unit_address_space(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    size_t pages = 0;

    REQUIRE(file != NULL && fscanf(file, "%zu", &pages) == 1, "no /proc/self/statm");
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

bool unit_protected_so(uintptr_t start, uintptr_t end, const char *protection)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], found[8];
    uintptr_t from, to;

    REQUIRE(maps != NULL, "no /proc/self/maps");
    while (fgets(line, sizeof line, maps) != NULL) {
        REQUIRE(sscanf(line, "%lx-%lx %7s", &from, &to, found) == 3, "a strange line: %s", line);
        if (from <= start && start < to && strcmp(found, protection) == 0)
            start = to;
    }
    (void)fclose(maps);
    return start >= end;
}

void unit_forget_heaps(struct heap_set *set)
{
    heap_set_forget(set);
    for (struct heap *heap = set->heaps; heap != NULL; heap = heap->next) {
        heap_forget(heap);
        heap_adopt(heap);
    }
}
