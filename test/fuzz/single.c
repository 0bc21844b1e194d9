/*
 * Commands on one chunk. Each draws its arguments, calls the library, and checks what the contract
 * says.
 */
#include "fuzz/fuzz.h"

#include "fuzz/operators.h"
#include "os/os.h"
#include "support/prefixed.h"

#include <errno.h>
#include <string.h>

enum { ERRNO_BEFORE = 4242 };

static void release_plainly(struct held *slot)
{
    if (slot->start != NULL)
        ft_free(held_leave(slot));
}

/* Frees what was in the slot first, so that every command does something. */
static struct held *drawn_empty(void)
{
    struct held *slot = &fuzz.slots[input_byte() % SINGLE_SLOTS];

    release_plainly(slot);
    return slot;
}

static struct held *drawn(void)
{
    return &fuzz.slots[input_byte() % SINGLE_SLOTS];
}

void command_malloc(void)
{
    struct held *slot = drawn_empty();
    size_t size = input_size();

    held_enter(slot, ft_malloc(size), size, LEAST_ALIGNMENT);
}

void command_calloc(void)
{
    struct held *slot = drawn_empty();
    size_t size = input_size();
    size_t count = input_byte() % 9 + 1;
    void *start = ft_calloc(count, size);

    if (start != NULL)
        held_require_zero(start, count * size);
    held_enter(slot, start, size_impossible(size) ? size : count * size, LEAST_ALIGNMENT);
}

void command_realloc(void)
{
    struct held *slot = drawn();
    size_t size = input_size();

    size += size == 0;
    held_check(slot, slot->start == NULL ? 0 : slot->filled);
    held_resized(slot, ft_realloc(slot->start, size), size);
}

void command_reallocarray(void)
{
    struct held *slot = drawn();
    size_t size = input_size();
    size_t count = input_byte() % 5 + 1;

    size += size == 0;
    held_resized(slot, ft_reallocarray(slot->start, count, size),
                 size_impossible(size) ? size : count * size);
}

/* Grows again and again, by half or by a fixed step, as strings and arrays do. */
void command_grow(void)
{
    struct held *slot = drawn();
    unsigned times = input_byte() % 16;
    size_t step = input_word();

    for (unsigned i = 0; i < times && slot->start != NULL && slot->size < 4 << 20; i++) {
        size_t size = slot->size + (step % 2 == 0 ? slot->size / 2 : 0) + step + 1;

        held_resized(slot, ft_realloc(slot->start, size), size);
    }
}

static size_t drawn_alignment(void)
{
    return (size_t)1 << input_byte() % 24;
}

static void alloc_memalign(struct held *slot, size_t size)
{
    size_t alignment = input_word();
    size_t rounded = 1;

    while (rounded < alignment)
        rounded *= 2;
    held_enter(slot, ft_memalign(alignment, size), size, rounded);
}

static void alloc_posix(struct held *slot, size_t size)
{
    size_t alignment = drawn_alignment();
    void *start = NULL;
    int result;

    errno = ERRNO_BEFORE;
    result = ft_posix_memalign(&start, alignment, size);
    REQUIRE(errno == ERRNO_BEFORE, "posix_memalign changes errno");
    REQUIRE((result == EINVAL) == (alignment < sizeof(void *)),
            "posix_memalign: %d for alignment %zu", result, alignment);
    REQUIRE((result == 0) == (start != NULL), "posix_memalign: %d, and %p", result, start);
    errno = result;
    if (result != EINVAL)
        held_enter(slot, start, size, alignment);
}

static void alloc_refused(void)
{
    size_t size = input_word();
    void *start = NULL;

    errno = 0;
    REQUIRE(ft_memalign(SIZE_MAX - size, 100) == NULL && errno == EINVAL,
            "memalign takes any alignment");
    REQUIRE(ft_posix_memalign(&start, size * 2 + 3, 100) == EINVAL && start == NULL,
            "posix_memalign takes %zu", size * 2 + 3);
}

void command_aligned(void)
{
    struct held *slot = drawn_empty();
    unsigned kind = input_byte();
    size_t size = input_size(), page = os_page_size(), alignment;

    switch (kind % 6) {
    case 0:
        alignment = drawn_alignment();
        held_enter(slot, ft_aligned_alloc(alignment, size), size, alignment);
        break;
    case 1:
        alloc_memalign(slot, size);
        break;
    case 2:
        alloc_posix(slot, size);
        break;
    case 3:
        held_enter(slot, ft_valloc(size), size, page);
        break;
    case 4:
        held_enter(slot, ft_pvalloc(size),
                   size_impossible(size) ? size : (size + page - (size > 0)) / page * page, page);
        break;
    default:
        alloc_refused();
    }
}

static void memory_again(void)
{
    fuzz_faults_off();
}

void (*fuzz_get_new_handler(void))(void)
{
    return memory_again;
}

/* Never NULL: without memory the new_handler is called and makes memory available. */
void command_new(void)
{
    struct held *slot = drawn_empty();
    unsigned kind = input_byte();
    size_t size = input_size() % (4 << 20);
    size_t alignment = kind % 4 < 2 ? LEAST_ALIGNMENT : drawn_alignment();
    void *start;

    switch (kind % 4) {
    case 0:
        start = ft_new(size);
        break;
    case 1:
        start = ft_new_array(size);
        break;
    case 2:
        start = ft_new_aligned(size, alignment);
        break;
    default:
        start = ft_new_array_aligned(size, alignment);
    }
    REQUIRE(start != NULL, "operator new returns NULL");
    held_enter(slot, start, size, alignment);
}

static void delete_in_some_way(unsigned how, void *start, size_t size, size_t alignment)
{
    switch (how) {
    case 0:
        ft_delete(start);
        break;
    case 1:
        ft_delete_array(start);
        break;
    case 2:
        ft_delete_sized(start, size);
        break;
    case 3:
        ft_delete_array_sized(start, size);
        break;
    case 4:
        ft_delete_nothrow(start, NULL);
        break;
    case 5:
        ft_delete_array_nothrow(start, NULL);
        break;
    case 6:
        ft_delete_aligned(start, alignment);
        break;
    case 7:
        ft_delete_array_aligned(start, alignment);
        break;
    case 8:
        ft_delete_sized_aligned(start, size, alignment);
        break;
    case 9:
        ft_delete_array_sized_aligned(start, size, alignment);
        break;
    case 10:
        ft_delete_aligned_nothrow(start, alignment, NULL);
        break;
    default:
        ft_delete_array_aligned_nothrow(start, alignment, NULL);
    }
}

static void free_in_some_way(unsigned how, const struct held *old)
{
    switch (how % 8) {
    case 0:
        ft_cfree(old->start);
        break;
    case 1:
        ft_free_aligned_sized(old->start, old->alignment, old->size);
        break;
    case 2:
        REQUIRE(ft_realloc(old->start, 0) == NULL, "realloc(p, 0) does not free");
        break;
    case 3:
        delete_in_some_way(how / 8 % 12, old->start, old->size, old->alignment);
        break;
    case 4:
        if (old->alignment == LEAST_ALIGNMENT) {
            ft_free_sized(old->start, old->size);
            break;
        }
        /* fall through */
    default:
        ft_free(old->start);
    }
}

void command_free(void)
{
    struct held *slot = drawn();
    unsigned how = input_byte();
    struct held old = *slot;

    if (slot->start != NULL)
        held_leave(slot);
    else if (how % 8 == 2)
        return;
    errno = ERRNO_BEFORE;
    free_in_some_way(how, &old);
    REQUIRE(errno == ERRNO_BEFORE, "free changes errno to %d", errno);
}

void command_usable(void)
{
    struct held *slot = drawn();
    size_t usable = ft_malloc_usable_size(slot->start);

    REQUIRE(slot->start != NULL || usable == 0, "NULL has %zu usable bytes", usable);
    if (slot->start == NULL)
        return;
    REQUIRE(usable >= slot->size, "%zu bytes usable of %zu", usable, slot->size);
    held_check(slot, slot->filled);
    held_fill(slot, usable);
}
