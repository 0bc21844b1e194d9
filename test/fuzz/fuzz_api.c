/*
 * Runs one input with a new crew. Then everything is freed, and the allocator must be as empty as
 * before.
 */
#include "fuzz/fuzz.h"

#include "base/options.h"
#include "debug/census.h"
#include "os/os.h"
#include "support/prefixed.h"

#include <stdlib.h>

struct fuzz fuzz;

void fuzz_faults_off(void)
{
    os_fail_after(0, false);
    fuzz.out_of_memory = false;
}

static void free_everything(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (fuzz.slots[i].start != NULL)
            ft_free(held_leave(&fuzz.slots[i]));
    figures_require_exact();
}

/*
 * The first byte of an input says whether the chunks outlive the threads, and whether calls are
 * counted.
 */
static unsigned flags;

void fuzz_finish(void)
{
    fuzz_faults_off();
    held_check_all();
    figures_require_exact();
    if (flags & 1)
        free_everything();
    crew_end();
    free_everything();
    ft_malloc_trim(0);
    figures_require_exact();
    output_require_none();
}

/* The fuzzer prescribes its type. */
int LLVMFuzzerInitialize(int *argc, char ***argv) // NOLINT(readability-non-const-parameter)
{
    (void)argc;
    (void)argv;
    options.report_only = true;
    options.on_wrong_size = WRONG_SIZE_REPORT;
    figures_open();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz.at = data;
    fuzz.end = data + size;
    slots_clear();
    flags = input_byte();
    modes_on = (flags & 2) != 0 ? MODE_STATS : 0;
    fuzz.turn = flags / 4;
    fuzz.ticking = 0;
    fuzz.forks = 2;
    crew_run();
    fuzz_finish();
    return 0;
}
