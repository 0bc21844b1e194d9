/*
 * One misuse: `misuse_case FUNCTION POINTER` passes a wrong pointer (see pointers.c) to a function.
 * It first writes to stdout how the library must report it. If the call returns
 * (FT_MALLOC_ON_ERROR=report), it checks the result and that the heap is intact.
 */
#include "misuse/calls.h"
#include "misuse/pointers.h"
#include "support/pattern.h"
#include "support/require.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD = 300 };

static void *held[HELD];

static size_t held_size(size_t n)
{
    return n * n * 3 % 5000 + (n % 50 == 0 ? 300000 : 0);
}

static void hold_chunks(void)
{
    for (size_t n = 0; n < HELD; n++) {
        held[n] = malloc(held_size(n));
        REQUIRE(held[n] != NULL, "no memory");
        pattern_write(held[n], 0, held_size(n), n);
    }
}

static void release_chunks(void)
{
    for (size_t n = 0; n < HELD; n++) {
        REQUIRE(pattern_mismatch(held[n], held_size(n), n) == held_size(n), "chunk %zu was changed",
                n);
        free(held[n]);
    }
}

/*
 * The expected line is written before the call, which may end the process. stdio would keep it in
 * its buffer.
 */
static void announce(const char *function, const char *verdict)
{
    char line[300];
    int length = snprintf(line, sizeof line, "ft_malloc: %s: %s\n", function, verdict);
    REQUIRE(write(STDOUT_FILENO, line, (size_t)length) == length, "cannot write");
}

static void misuse(const struct call *call, const char *name)
{
    struct wrong_pointer wrong;
    hold_chunks();
    REQUIRE(wrong_pointer_make(name, &wrong), "no pointer named %s", name);
    announce(call->shown, wrong.verdict);
    call->with(wrong.pointer);
    release_chunks();
    hold_chunks();
    release_chunks();
    REQUIRE(write(STDOUT_FILENO, "intact\n", 7) == 7, "cannot write");
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: misuse_case FUNCTION POINTER");
    const struct call *call = call_named(argv[1]);
    REQUIRE(call != NULL, "no function named %s", argv[1]);
    misuse(call, argv[2]);
    return 0;
}
