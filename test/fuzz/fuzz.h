/*
 * The fuzz target. An input is a string of commands, each of which is a byte and its arguments. A
 * crew of threads executes them one at a time: the holder of the baton runs until a command passes
 * it on, so the same input always does the same. A model of what is held is the oracle. All of this
 * state belongs to the holder of the baton.
 */
#ifndef FT_TEST_FUZZ_FUZZ_H
#define FT_TEST_FUZZ_FUZZ_H

#include "support/require.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SLOTS = 2048,
    SINGLE_SLOTS = 256, /* the slots that one byte can name */
    FREED = 32,
    LEAST_ALIGNMENT = 16,
};

/* What the model knows of a live chunk. */
struct held {
    unsigned char *start; /* NULL if the slot is empty */
    size_t size;          /* the requested size */
    size_t shown;         /* the size in listings: see held_resized() */
    size_t filled;        /* bytes with the pattern: size, or more after malloc_usable_size() */
    size_t alignment;
    uint64_t tag;
};

struct fuzz {
    const uint8_t *at;
    const uint8_t *end;

    struct held slots[SLOTS];
    uint64_t next_tag;
    size_t held_bytes;
    uintptr_t freed[FREED];
    unsigned freed_count;
    bool out_of_memory; /* system calls for memory may fail */

    unsigned turn;    /* who gets the baton next */
    bool leaving;     /* the holder has to end its thread */
    unsigned late;    /* how many commands it executes in a destructor of thread-specific data */
    bool staying;     /* the crew gets no commands now */
    unsigned ticking; /* a tick becomes due before so many commands */
    unsigned forks;   /* how many more are permitted */
};

extern struct fuzz fuzz;

/*
 * input.c: reads bytes (0 after the end of the input), and sizes that favour the borders of classes
 * and zones.
 */
bool input_left(void);
unsigned input_byte(void);
size_t input_word(void);
size_t input_size(void);

/* Returns true if such a request cannot be served, whatever happens. */
bool size_impossible(size_t size);

/* commands.c */
void command_next(void);

/* slots.c: the model. */
void slots_clear(void);
struct held *slot_empty(unsigned from);
struct held *slot_starting(uintptr_t address);

/* Enters what an allocating function returned. NULL is right only where memory may be short. */
bool held_enter(struct held *slot, void *start, size_t size, size_t alignment);

/* Enters what realloc() returned. On NULL the chunk must be unchanged. */
bool held_resized(struct held *slot, void *start, size_t size);
void held_require_zero(const void *start, size_t size);
void held_check(const struct held *slot, size_t limit);
void held_fill(struct held *slot, size_t filled);

/* To be called before the chunk is freed: checks it and empties the slot. Returns its address. */
void *held_leave(struct held *slot);
void held_check_all(void);
void held_require_disjoint(void);

/* single.c: commands on one chunk. */
void command_malloc(void);
void command_calloc(void);
void command_realloc(void);
void command_reallocarray(void);
void command_aligned(void);
void command_new(void);
void command_free(void);
void command_usable(void);
void command_grow(void);

/* bulk.c: commands on many chunks. */
void command_alloc_many(void);
void command_free_many(void);
void command_resize_many(void);
void command_free_all(void);
void command_pairs(void);

/* misuse.c */
void command_misuse(void);
void command_wrong_size(void);

/* figures.c: compares what the library says of itself with what the model holds. */
void figures_open(void);
void figures_require_exact(void);
void command_figures(void);

/*
 * output.c: what the library writes: messages (descriptor 2), and listings (descriptor 1) from
 * output_listen() on. The text that is returned ends with a '\0' and is valid until more is
 * written.
 */
struct output {
    const char *text;
    size_t length;
};
void output_listen(void);
struct output output_taken(int descriptor);
void output_require_none(void);

/* crew.c: the threads. */
void crew_run(void);
void crew_end(void);
void command_hand_on(void);
void command_leave(void);
void command_fork(void);

/* fuzz_api.c: runs one input; and ends one in a child of fork. */
void fuzz_faults_off(void);
void fuzz_finish(void);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
