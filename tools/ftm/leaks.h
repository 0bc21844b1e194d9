/*
 * Finds the leaks of a source: marks from the roots, in several passes if the process goes on
 * meanwhile, and adds up what is lost by the stacks that allocated it.
 */
#ifndef FTM_LEAKS_H
#define FTM_LEAKS_H

#include "mark.h"
#include "options.h"
#include "sites_chunks.h"
#include "suppress.h"

struct sites;
struct symbols;

/* Sets of kinds: 1 << MARK_LOST and so on. */
enum {
    LEAKS_DEFINITE = 1 << MARK_LOST,
    LEAKS_INDIRECT = 1 << MARK_INDIRECT,
    LEAKS_SUPPRESSED = 1 << MARK_SUPPRESSED,
    LEAKS_POSSIBLE = 1 << MARK_POSSIBLE,
    LEAKS_REACHABLE = 1 << MARK_REACHABLE
};

struct leaks_options {
    unsigned heuristics; /* MARK_... */
    unsigned show;       /* kinds that get records */
    unsigned errors;     /* kinds that make the exit status `exit_code` */
    unsigned passes;     /* of a process that goes on */
    int exit_code;
    bool stop; /* the process, while it is looked at */
    bool json;
    struct suppressions suppressions;
};

enum { EXAMPLES = 3 };

/* Chunks of one kind that one stack allocated. */
struct loss {
    enum mark_kind kind;
    size_t site;   /* index in sites->items, or NO_SITE: they are told apart by their size */
    uint64_t size; /* of each, if there is no site; else 0 */
    uint64_t blocks, bytes;
    uint64_t indirect_blocks, indirect_bytes; /* that only these lead to */
    uint64_t examples[EXAMPLES], example_sizes[EXAMPLES];
};

struct leaks {
    struct target target;
    struct sites *sites;     /* NULL if the process has no table of stacks */
    struct symbols *symbols; /* NULL if there are no sites */
    struct loss *losses;     /* the smallest first */
    size_t loss_count;
    struct {
        uint64_t blocks, bytes;
    } sums[MARK_KINDS];
    unsigned passes, threads, whole_stacks, no_registers;
    size_t left_out; /* chunks that a broken source pretends to have */
};

/* Returns false after a line on stderr, with nothing left open. */
bool leaks_find(const char *name, struct leaks_options *options, struct leaks *leaks);
void leaks_free(struct leaks *leaks);

/* Prints them as text or JSON. Returns false after a line on stderr if that fails. */
bool leaks_print(const struct leaks *leaks, const struct leaks_options *options);

#endif
