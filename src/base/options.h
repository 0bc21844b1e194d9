/*
 * The options that the environment sets, read once, at the first allocation or at load, while the
 * process has one thread; ignored in set-user-ID programs. Constant afterwards, so anyone reads
 * them freely; but for arena_max, which mallopt() may set before the pool has looked at it, with
 * the pool's lock.
 */
#ifndef FT_BASE_OPTIONS_H
#define FT_BASE_OPTIONS_H

#include <stdbool.h>

/* What follows when a chunk is freed with a wrong size or alignment: it is freed, and this. */
enum on_wrong_size {
    WRONG_SIZE_UNSET, /* the first one is reported; hardened, each is treated as other misuse */
    WRONG_SIZE_ABORT,
    WRONG_SIZE_REPORT,
    WRONG_SIZE_IGNORE
};

struct options {
    /* FT_MALLOC_ON_ERROR=report: say what is wrong and go on. */
    bool report_only;
    /* FT_MALLOC_ON_WRONG_SIZE. */
    enum on_wrong_size on_wrong_size;
    /* FT_MALLOC_STATS=1: a line of figures at exit; counting takes the slow path on every call. */
    bool stats;
    /* FT_MALLOC_HARDEN=1: see api/harden.h; every call takes the slow path. */
    bool harden;
    /* FT_MALLOC_ARENA_MAX=N; 0: from the number of processors. */
    unsigned arena_max;
};

extern struct options options;

/*
 * Reads the environment, the first time that there is one. Unknown names and values are reported on
 * stderr, and change nothing. `initial`: the environment as the kernel laid it on the stack, which
 * the auxiliary vector follows; NULL: it is not known yet, and nothing is read.
 */
void options_load(char **initial);

/*
 * What a hardened process does, by its parts: the layers below the calls ask for a part, never for
 * the mode.
 *
 * Heaps and LARGE chunks have guards around them and inside, and memory that was never used cannot
 * be touched.
 */
static inline bool policy_guards(void)
{
    return options.harden;
}

/* Heaps lie at random places. */
static inline bool policy_random_places(void)
{
    return options.harden;
}

/* Free memory is zero, and each chunk has a byte more than was asked for, for a canary. */
static inline bool policy_zero_and_canary(void)
{
    return options.harden;
}

/* The addresses of a LARGE chunk that was freed are not used again for a while. */
static inline bool policy_keep_addresses(void)
{
    return options.harden;
}

/* A chunk of 0 bytes is an address that nobody can read or write. */
static inline bool policy_empty_chunks(void)
{
    return options.harden;
}

/* True if every call has to take the slow path. */
static inline bool options_every_call_slow(void)
{
    return options.stats | options.harden;
}

#endif
