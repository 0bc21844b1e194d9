/*
 * The table of commands. Each stands in it as often as it is to occur in random inputs.
 */
#include "fuzz/fuzz.h"

#include "arena/thread.h"
#include "os/os.h"
#include "support/prefixed.h"

static void command_trim(void)
{
    ft_malloc_trim(input_byte());
}

/* The n-th system call for memory fails, or all from the n-th on. */
static void command_fault(void)
{
    unsigned drawn = input_byte();

    fuzz.out_of_memory = true;
    os_fail_after(1 + drawn % 32, drawn & 128);
}

static void command_no_faults(void)
{
    fuzz_faults_off();
}

/* Lets time pass before the next commands. */
static void command_tick(void)
{
    fuzz.ticking = input_byte() % 64 + 1;
}

typedef void command(void);

static command *const commands[] = {
    command_malloc,     command_malloc,    command_malloc,    command_malloc,
    command_free,       command_free,      command_free,      command_calloc,
    command_calloc,     command_realloc,   command_realloc,   command_realloc,
    command_aligned,    command_aligned,   command_new,       command_reallocarray,
    command_usable,     command_grow,      command_pairs,     command_alloc_many,
    command_alloc_many, command_free_many, command_free_many, command_resize_many,
    command_free_all,   command_trim,      command_fault,     command_no_faults,
    command_tick,       command_figures,   command_misuse,    command_misuse,
    command_hand_on,    command_hand_on,   command_hand_on,   command_hand_on,
    command_leave,      command_leave,     command_fork,      command_wrong_size,
};

/* A tick happens only when the input asks for it, because the clock is no part of the input. */
static void set_clock(void)
{
    if (thread_self.home != NULL)
        thread_self.home->arena->bins.next_tick = fuzz.ticking > 0 ? 0 : BINS_NO_TICKS;
    fuzz.ticking -= fuzz.ticking > 0;
}

void command_next(void)
{
    set_clock();
    commands[input_byte() % (sizeof commands / sizeof commands[0])]();
    output_require_none();
}
