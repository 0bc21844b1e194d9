/*
 * A live chunk is freed with a wrong size or alignment: `misuse_claims FUNCTION SIZE CLAIM`. It
 * first writes to stdout what the library must write. If the call returns, it checks that the chunk
 * was freed nevertheless and that the heap is intact, and then does it once more.
 */
#include "support/pattern.h"
#include "support/require.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD = 200 };

extern void free_sized(void *pointer, size_t size) __attribute__((weak));
extern void free_aligned_sized(void *pointer, size_t align, size_t size) __attribute__((weak));
/* NOLINTBEGIN(bugprone-reserved-identifier) */
extern void _ZdlPvm(void *pointer, size_t size) __attribute__((weak));
extern void _ZdaPvm(void *pointer, size_t size) __attribute__((weak));
extern void _ZdlPvSt11align_val_t(void *pointer, size_t align) __attribute__((weak));
extern void _ZdaPvSt11align_val_t(void *pointer, size_t align) __attribute__((weak));
extern void _ZdlPvmSt11align_val_t(void *pointer, size_t size, size_t align) __attribute__((weak));
extern void _ZdaPvmSt11align_val_t(void *pointer, size_t size, size_t align) __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier) */

static void free_with_size(void *pointer, size_t claim, size_t size)
{
    (void)size;
    free_sized(pointer, claim);
}

static void free_aligned_with_size(void *pointer, size_t claim, size_t size)
{
    (void)size;
    free_aligned_sized(pointer, 16, claim);
}

static void free_with_alignment(void *pointer, size_t claim, size_t size)
{
    free_aligned_sized(pointer, claim, size);
}

static void delete_with_size(void *pointer, size_t claim, size_t size)
{
    (void)size;
    _ZdlPvm(pointer, claim);
}

static void delete_array_with_size(void *pointer, size_t claim, size_t size)
{
    (void)size;
    _ZdaPvm(pointer, claim);
}

static void delete_aligned_with_size(void *pointer, size_t claim, size_t size)
{
    (void)size;
    _ZdlPvmSt11align_val_t(pointer, claim, 16);
}

static void delete_with_alignment(void *pointer, size_t claim, size_t size)
{
    (void)size;
    _ZdlPvSt11align_val_t(pointer, claim);
}

static void delete_array_with_alignment(void *pointer, size_t claim, size_t size)
{
    (void)size;
    _ZdaPvSt11align_val_t(pointer, claim);
}

static void delete_sized_with_alignment(void *pointer, size_t claim, size_t size)
{
    _ZdaPvmSt11align_val_t(pointer, size, claim);
}

static const struct {
    const char *name;
    const char *shown;
    const char *what;
    void (*call)(void *pointer, size_t claim, size_t size);
} functions[] = {
    {"free_sized", "free_sized()", "size", free_with_size},
    {"free_aligned_sized", "free_aligned_sized()", "size", free_aligned_with_size},
    {"free_aligned_sized-align", "free_aligned_sized()", "alignment", free_with_alignment},
    {"delete", "operator delete()", "size", delete_with_size},
    {"delete-array", "operator delete[]()", "size", delete_array_with_size},
    {"delete-aligned", "operator delete()", "size", delete_aligned_with_size},
    {"delete-align", "operator delete()", "alignment", delete_with_alignment},
    {"delete-array-align", "operator delete[]()", "alignment", delete_array_with_alignment},
    {"delete-array-sized-align", "operator delete[]()", "alignment", delete_sized_with_alignment},
};

/*
 * The address is a multiple of 16 and of nothing more. The first requests of a size share larger
 * chunks with other sizes.
 */
static void *make(size_t size)
{
    for (size_t n = 0; n < 300; n++) {
        void *chunk = malloc(size);
        REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
        if ((uintptr_t)chunk % 32 == 16 || size > 500)
            return chunk;
    }
    return malloc(size);
}

static void require_intact(void)
{
    static unsigned char *held[HELD];
    for (size_t n = 0; n < HELD; n++) {
        held[n] = malloc(n * n % 5000);
        REQUIRE(held[n] != NULL, "no memory");
        pattern_write(held[n], 0, n * n % 5000, n);
    }
    for (size_t n = 0; n < HELD; n++) {
        REQUIRE(pattern_mismatch(held[n], n * n % 5000, n) == n * n % 5000, "chunk %zu was changed",
                n);
        free(held[n]);
    }
}

int main(int argc, char **argv)
{
    char line[300];
    REQUIRE(argc == 4, "usage: misuse_claims FUNCTION SIZE CLAIM");
    size_t size = strtoull(argv[2], NULL, 10);
    size_t claim = strtoull(argv[3], NULL, 10);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(argv[1], functions[i].name) != 0)
            continue;
        void *chunk = make(size);
        size_t live = mallinfo2().uordblks + mallinfo2().hblkhd;
        int length =
            snprintf(line, sizeof line, "ft_malloc: %s: wrong %s %zu for %p (%s, %zu bytes)\n",
                     functions[i].shown, functions[i].what, claim, chunk,
                     size <= 960      ? "TINY"
                     : size <= 262144 ? "SMALL"
                                      : "LARGE",
                     size);
        REQUIRE(write(STDOUT_FILENO, line, (size_t)length) == length, "cannot write");
        functions[i].call(chunk, claim, size);
        REQUIRE(mallinfo2().uordblks + mallinfo2().hblkhd < live, "it was not freed");
        require_intact();
        functions[i].call(make(size), claim, size);
        REQUIRE(write(STDOUT_FILENO, "intact\n", 7) == 7, "cannot write");
        return 0;
    }
    REQUIRE(!"known function", "no function named %s", argv[1]);
}
