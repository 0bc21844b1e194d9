/*
 * The table of commands. Each stands in it as often as it is to occur in random inputs.
 */
#include "fuzz/fuzz.h"

#include "arena/thread.h"
#include "arena/visit.h"
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

enum { LONG_AGO = 1 };

/* Does what is due for arenas whose threads have made no tick for long, the caller's included. */
static void visit_all(void)
{
    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        arena->bins.next_tick = LONG_AGO;
    while (visit_one())
        continue;
}

/* Lets time pass before the next commands. */
static void command_tick(void)
{
    unsigned drawn = input_byte();

    fuzz.ticking = drawn % 64 + 1;
    if (drawn & 128)
        visit_all();
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

/*
 * A tick happens only when the input asks for it, because the clock is no part of the input. At a
 * tick, the chunks are sent that the thread has collected.
 */
static void set_clock(void)
{
    uint64_t when = fuzz.ticking > 0 ? 0 : BINS_NO_TICKS;

    /* No arena seems to be idle. */
    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        arena->bins.next_tick = BINS_NO_TICKS;
    if (thread_self.home != NULL) {
        thread_self.home->arena->bins.next_tick = when;
        thread_self.home->stacks.next_flush = when;
        thread_self.home->send_at = 0;
    }
    fuzz.ticking -= fuzz.ticking > 0;
}

void command_next(void)
{
    set_clock();
    commands[input_byte() % (sizeof commands / sizeof commands[0])]();
    output_require_none();
}
