/*
 * For tests, in the prefixed build only: imitates a kernel with pages of 16 or 64 KiB on one with
 * smaller pages. It places mappings at multiples of its page, rounds lengths up to its page, and
 * refuses unaligned addresses where a real kernel does. If the library renews or unmaps a part of a
 * page, it loses the rest of that page, as it would on the real kernel.
 *
 * Each function makes one call of mmap() or munmap(), which tests count and refuse. The other calls
 * are made by syscall(), which the tests do not see.
 */
#include "os/kernel.h"

#include "os/os.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LARGEST_PAGE = 64 << 10 };

size_t os_kernel_page(void)
{
    const char *wanted = getenv("FT_TEST_PAGE"); // NOLINT: nobody changes the environment here
    size_t own = (size_t)sysconf(_SC_PAGESIZE);
    size_t page = wanted == NULL ? own : strtoul(wanted, NULL, 10);

    /* A test that is registered with a wrong page size must not pass. */
    if (page < own || page > LARGEST_PAGE || (page & (page - 1)) != 0)
        os_abort();
    return page;
}

static void *reserve_quietly(void *address, size_t size, int flags)
{
    flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    return pointer_to((uintptr_t)syscall(SYS_mmap, address, size, PROT_NONE, flags, -1, 0));
}

static void unmap_quietly(void *address, size_t size)
{
    syscall(SYS_munmap, address, size);
}

/*
 * Finds a place for whole pages that is free at this moment: `wanted`, or else the upper end of the
 * range where the kernel has room, so that neighbours leave no gap. Returns NULL if there is none.
 */
static void *find_place(void *wanted, size_t size)
{
    size_t page = os_page_size();
    uintptr_t place;
    void *space;

    if (wanted != NULL) {
        space = reserve_quietly(wanted, size, MAP_FIXED_NOREPLACE);
        if (space != MAP_FAILED)
            unmap_quietly(space, size);
        if (space == wanted)
            return wanted;
    }
    space = size > SIZE_MAX - page ? MAP_FAILED : reserve_quietly(NULL, size + page, 0);
    if (space == MAP_FAILED)
        return NULL;
    unmap_quietly(space, size + page);
    place = ((uintptr_t)space + page) & ~(uintptr_t)(page - 1);
    return pointer_to(place);
}

static void *map_somewhere(void *wanted, size_t size, int protection, int flags)
{
    enum { TRIES = 100 };
    void *mapping = MAP_FAILED;

    if (os_page_size() == (size_t)sysconf(_SC_PAGESIZE))
        return mmap(wanted, size, protection, flags, -1, 0);

    /* Another thread may take the place between the search and the mapping. */
    for (unsigned tries = 0; tries < TRIES; tries++) {
        mapping = mmap(find_place(wanted, size), size, protection, flags, -1, 0);
        if (mapping == MAP_FAILED || (uintptr_t)mapping % os_page_size() == 0)
            return mapping;
        unmap_quietly(mapping, size);
    }
    errno = ENOMEM;
    return MAP_FAILED;
}

void *os_kernel_map(void *address, size_t size, int protection, int flags)
{
    size_t page = os_page_size();
    size_t whole = round_up(size, page);

    flags |= MAP_PRIVATE | MAP_ANONYMOUS;
    if (whole < size) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if ((flags & MAP_FIXED) == 0) {
        address = pointer_to(round_up((uintptr_t)address, page));
        return map_somewhere(address, whole, protection, flags);
    }
    if ((uintptr_t)address % page != 0) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    return mmap(address, whole, protection, flags, -1, 0);
}

int os_kernel_unmap(void *address, size_t size)
{
    size_t page = os_page_size();

    if ((uintptr_t)address % page != 0 || size > SIZE_MAX - page) {
        errno = EINVAL;
        return -1;
    }
    return munmap(address, round_up(size, page));
}
