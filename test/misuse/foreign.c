/*
 * Wrong pointers that never were a chunk's: into other memory, into none, and into heaps between
 * their chunks.
 */
#include "misuse/pointers.h"
#include "support/require.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static unsigned char static_bytes[64];

/*
 * A chunk of the C library's own allocator. A look-up in that library alone finds its malloc,
 * whatever is preloaded.
 */
static void *chunk_of_libc(size_t size)
{
    void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void *(*allocate)(size_t) = NULL;
    void *address = library == NULL ? NULL : dlsym(library, "malloc");

    REQUIRE(address != NULL, "no malloc in the C library");
    memcpy(&allocate, &address, sizeof allocate);
    return allocate(size);
}

static void *unmapped_address(void)
{
    void *address = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(address != MAP_FAILED && munmap(address, 4096) == 0, "cannot find an unmapped address");
    return address;
}

static void *inaccessible_address(void)
{
    void *address = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(address != MAP_FAILED, "cannot map an inaccessible page");
    return address;
}

static void *mapped_address(void)
{
    void *address = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(address != MAP_FAILED, "cannot map memory");
    return address;
}

static const struct {
    const char *name;
    uintptr_t address;
} addresses[] = {
    {"one", 1},
    {"five", 5},
    {"sixteen", 16},
    {"low", 0xFFF0},
    {"half-of-user-space", 0x400000000000},
    {"end-of-user-space", 0x7FFFFFFFFFF0},
    {"five-level-user", 0x00FFFFFFFFFFFFF0},
    {"non-canonical", 0x8000000000000010},
    {"non-canonical-low", 0x0000800000000000},
    {"kernel", 0xFFFF888000000010},
    {"kernel-text", 0xFFFFFFFF81000000},
    {"last", UINTPTR_MAX},
};

bool wrong_foreign_make(const char *name, struct wrong_pointer *wrong)
{
    static unsigned char *stack_bytes;
    unsigned char on_stack[64];
    stack_bytes = on_stack;
    wrong->pointer = NULL;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (strcmp(name, addresses[i].name) == 0)
            wrong->pointer = (void *)addresses[i].address;
    if (strcmp(name, "stack") == 0)
        wrong->pointer = stack_bytes;
    else if (strcmp(name, "static") == 0)
        wrong->pointer = static_bytes + 16;
    else if (strcmp(name, "code") == 0)
        wrong->pointer = (void *)(uintptr_t)&wrong_pointer_make;
    else if (strcmp(name, "unmapped") == 0)
        wrong->pointer = unmapped_address();
    else if (strcmp(name, "inaccessible") == 0)
        wrong->pointer = inaccessible_address();
    else if (strcmp(name, "mapped") == 0)
        wrong->pointer = mapped_address();
    else if (strcmp(name, "libc") == 0)
        wrong->pointer = chunk_of_libc(100);
    else if (strcmp(name, "libc-large") == 0)
        wrong->pointer = chunk_of_libc(1000000);
    (void)snprintf(wrong->verdict, sizeof wrong->verdict,
                   "invalid pointer %p: not from this allocator", wrong->pointer);
    return wrong->pointer != NULL;
}

/* Heaps begin at multiples of these. Their headers are longer than any of the offsets below. */
enum { TINY_HEAP = 4 << 20, SMALL_HEAP = 32 << 20, SLAB = 16 << 10 };

/*
 * "header-N" is N bytes into the header of a heap of the zone; "between" is behind the last chunk
 * of a slab.
 */
bool wrong_between_make(const char *name, const char *zone, size_t size,
                        struct wrong_pointer *wrong)
{
    bool tiny = strcmp(zone, "TINY") == 0;
    uintptr_t chunk = (uintptr_t)malloc(tiny ? 960 : size);
    uintptr_t heap = chunk & ~(uintptr_t)((tiny ? TINY_HEAP : SMALL_HEAP) - 1);
    if (strncmp(name, "header-", 7) == 0 && strcmp(zone, "LARGE") != 0)
        wrong->pointer =
            (void *)(heap + strtoul(name + 7, NULL, 10)); // NOLINT: an address becomes a pointer
    else if (strcmp(name, "between") == 0 && tiny)
        /* 17 chunks of 960 bytes leave 64 bytes of a slab. */
        wrong->pointer = (void *)((chunk & ~(uintptr_t)(SLAB - 1)) + SLAB - 64); // NOLINT
    else
        return false;
    (void)snprintf(wrong->verdict, sizeof wrong->verdict,
                   "invalid pointer %p: no chunk in a %s heap", wrong->pointer, zone);
    return true;
}
