/*
 * Runs the programs of this folder for the cmocka tests.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void life_run(const struct life *life, const char *preload, struct child_result *result)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", FT_PROGRAM_DIR, life->program);
    const char *argv[] = {path, life->arguments[0], life->arguments[1], life->arguments[2], NULL};
    const char *environment[] = {"FT_MALLOC_STATS=1", life->environment, NULL};
    child_run(&(struct child_spec){.argv = argv,
                                   .environment = environment,
                                   .preload = preload,
                                   .address_space = life->address_space,
                                   .timeout_s = life->timeout_s},
              result);
}

void life_require(const struct life *life, struct child_stats *stats)
{
    struct child_result result;
    life_run(life, child_library(), &result);
    if (!child_succeeded(&result))
        fail_msg("%s failed", life->program);
    if (!child_read_stats(&result, stats))
        fail_msg("%s: no statistics line: \"%s\"", life->program, result.err);
    if (strchr(result.err, '\n') != result.err + result.err_length - 1)
        fail_msg("%s: more than the statistics line: \"%s\"", life->program, result.err);
    assert_true(stats->malloc_calls > 0);
    printf("%s: %.200s", life->program, result.out);
    child_free(&result);
}
