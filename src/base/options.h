/*
 * The options that the environment sets. They are read once, at the first allocation or when the
 * library is loaded, while the process has one thread. Set-user-ID programs ignore them. Those that
 * are not atomic are constant afterwards, so any thread may read them. The exception is
 * `arena_max`: mallopt() may set it, with the pool's lock held, until the pool has read it.
 */
#ifndef FT_BASE_OPTIONS_H
#define FT_BASE_OPTIONS_H

#include "base/modes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What happens when a chunk is freed with a wrong size or alignment. The chunk is freed in any
 * case.
 */
enum on_wrong_size {
    WRONG_SIZE_UNSET, /* report only the first; in hardened mode, like any other misuse */
    WRONG_SIZE_ABORT,
    WRONG_SIZE_REPORT,
    WRONG_SIZE_IGNORE
};

struct options {
    /*
     * FT_MALLOC_ON_ERROR=report: report misuse, but do not abort. FT_MALLOC_ON_WRONG_SIZE, an enum
     * on_wrong_size. Both may be changed at any time, with the modes' lock, and are read by any
     * thread; relaxed, because each says something alone.
     */
    _Atomic bool report_only;
    _Atomic int on_wrong_size;
    /*
     * FT_MALLOC_HARDEN=1: hardened mode (docs/design/hardened.md). Every call takes the slow path.
     */
    bool harden;
    /* FT_MALLOC_ARENA_MAX=N; 0 if not set: the bound follows from the number of processors. */
    unsigned arena_max;
    /* FT_MALLOC_BACKGROUND=1: a thread of the library's own gives back unused memory. */
    bool background;
    /*
     * FT_MALLOC_DUMP=FD[,exit][,SIGNAL]: the descriptor plus 1, or 0; and whether a snapshot is
     * written to it at exit. The signal is the second library's affair.
     */
    unsigned dump;
    bool dump_at_exit;
    /* The modes that the environment asks for. */
    unsigned modes;
};

extern struct options options;

static inline bool options_report_only(void)
{
    return atomic_load_explicit(&options.report_only, memory_order_relaxed);
}

static inline enum on_wrong_size options_on_wrong_size(void)
{
    return (enum on_wrong_size)atomic_load_explicit(&options.on_wrong_size, memory_order_relaxed);
}

enum option {
    OPTION_ON_ERROR,
    OPTION_ON_WRONG_SIZE,
    OPTION_HARDEN,
    OPTION_ARENA_MAX,
    OPTION_BACKGROUND,
    OPTION_DUMP,
    OPTION_STATS,
    OPTION_HISTORY,
    OPTION_PROFILE,
    OPTION_RECORD,
    OPTION_GUARD,
    OPTION_FILL,
    OPTION_CHECK,
    OPTION_LIMIT,
    OPTION_FAIL,
    OPTIONS
};

/* The value of an option. `on` says whether a mode is to be on. */
struct option_value {
    bool on;
    uint64_t number[MODE_NUMBERS];
};

/* Of MODE_STATS, the number if the figures are to be written as JSON. */
enum { STATS_JSON = 2, OPTION_TEXT_MAX = 31 };

/* The name, what values it accepts, the mode that it sets or NO_MODE, and its value as a text. */
const char *option_name(enum option option);
const char *option_expected(enum option option);
unsigned option_mode(enum option option);
const char *option_text(enum option option);

/*
 * Return the option with this name or, of a name that is not known, the one whose name is nearest;
 * OPTIONS if there is none. Capitals do not matter, and the prefix FT_MALLOC_ may be left out.
 */
enum option option_find(const char *name, size_t length);
enum option option_nearest(const char *name, size_t length);

/* Reads a value. Returns false if the option does not accept it. */
bool option_parse(enum option option, const char *value, struct option_value *out);

/* Returns false if the text of a value is too long to be one. */
bool option_text_fits(const char *text);

/* Sets the option, but switches no mode. With the modes' lock. */
void option_store(enum option option, const char *text, const struct option_value *value);

/*
 * Reads the environment at the first call that has one. Reports unknown names and values on stderr
 * and otherwise ignores them. `initial` is the environment as the kernel laid it on the stack, with
 * the auxiliary vector behind it; or NULL if it is not known yet, and then nothing is read.
 */
void options_load(char **initial);

/*
 * The mitigations of hardened mode. The layers below the public calls ask for one of these, never
 * for the mode.
 *
 * Guards surround heaps and LARGE chunks and lie inside heaps, and memory that was never used
 * cannot be touched.
 */
static inline bool policy_guards(void)
{
    return options.harden;
}

/* Heaps are mapped at random addresses. */
static inline bool policy_random_places(void)
{
    return options.harden;
}

/* Free memory is zero, and each chunk has at least one byte more than requested, for a canary. */
static inline bool policy_zero_and_canary(void)
{
    return options.harden;
}

/* A freed chunk of a heap waits before it is handed out again, and then comes in random order. */
static inline bool policy_quarantine(void)
{
    return options.harden;
}

/* A free with a wrong size or alignment is treated as other misuse, unless an option says how. */
static inline bool policy_sizes_must_match(void)
{
    return options.harden;
}

/* The addresses of a freed LARGE chunk are not reused for a while. */
static inline bool policy_keep_addresses(void)
{
    return options.harden;
}

/* A chunk of 0 bytes is an address that cannot be read or written. */
static inline bool policy_empty_chunks(void)
{
    return options.harden;
}

/* Returns true if every call has to take the slow path. */
static inline bool options_every_call_slow(void)
{
    return modes_malloc_slow() || options.harden;
}

#endif
