/*
 * The fuzz target. An input is a string of commands, each a byte and what it needs after it; a crew
 * of threads carries them out, one command at a time: who holds the baton runs until a command
 * hands it on, so the same input does the same thing. A model of what is held is the oracle. All of
 * this state belongs to the holder of the baton.
 */
#ifndef FT_TEST_FUZZ_FUZZ_H
#define FT_TEST_FUZZ_FUZZ_H

#include "support/require.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SLOTS = 2048,
    SINGLE_SLOTS = 256, /* those that one byte names */
    FREED = 32,
    LEAST_ALIGNMENT = 16,
};

/* What the model knows of a live chunk. */
struct held {
    unsigned char *start; /* NULL: the slot is empty */
    size_t size;          /* as requested */
    size_t shown;         /* what listings say: see held_resized() */
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

    unsigned turn;    /* whose the baton is to be */
    bool leaving;     /* the holder is to end its thread */
    unsigned late;    /* how many commands it does in a destructor of thread-specific data */
    bool staying;     /* no commands to the crew now */
    unsigned ticking; /* before so many commands a tick is made due */
    unsigned forks;   /* how many are still permitted */
};

extern struct fuzz fuzz;

/*
 * input.c: bytes, 0 where the input has ended; sizes that favour the borders of classes and zones.
 */
bool input_left(void);
unsigned input_byte(void);
size_t input_word(void);
size_t input_size(void);

/* True if no memory can be had for it, whatever happens. */
bool size_impossible(size_t size);

/* commands.c */
void command_next(void);

/* slots.c: the model. */
void slots_clear(void);
struct held *slot_empty(unsigned from);
struct held *slot_starting(uintptr_t address);

/* Enters what an allocating function returned; NULL is right only where memory may be short. */
bool held_enter(struct held *slot, void *start, size_t size, size_t alignment);

/* The same for what realloc() returned; on NULL the chunk must be as it was. */
bool held_resized(struct held *slot, void *start, size_t size);
void held_require_zero(const void *start, size_t size);
void held_check(const struct held *slot, size_t limit);
void held_fill(struct held *slot, size_t filled);

/* The chunk is about to be freed: checks it, and empties the slot. Returns its address. */
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

/* figures.c: what the library says of itself is what the model holds. */
void figures_open(void);
void figures_require_exact(void);
void command_figures(void);

/*
 * output.c: what the library writes: messages (descriptor 2), and listings (descriptor 1) from
 * output_listen() on. What is taken ends with a '\0', and lasts until more is written.
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

/* fuzz_api.c: one input; and the end of one in a child of fork. */
void fuzz_faults_off(void);
void fuzz_finish(void);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
