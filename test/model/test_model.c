/*
 * The model test in one thread: after every operation, or every 50, show_alloc_mem lists exactly
 * what the model holds.
 */
#include "model/model.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <stdarg.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static uint64_t seed;

struct run {
    uint64_t stream;
    size_t steps;
    size_t steps_between_shows;
    size_t slots;
    size_t largest;
};

static void require_shown(struct capture *capture, struct model *model)
{
    struct shown shown;
    capture_call(capture, show_alloc_mem);
    REQUIRE(shown_parse(&shown, capture->text, capture->length), "%s", shown.error);
    model_require_shown(&model, 1, &shown);
    shown_free(&shown);
}

static void run(const struct run *run)
{
    struct capture capture;
    capture_open(&capture, STDOUT_FILENO);
    struct model *model = model_create(seed, run->stream, run->slots, run->largest);
    for (size_t step = 1; step <= run->steps; step++) {
        model_step(model);
        if (step % run->steps_between_shows == 0)
            require_shown(&capture, model);
    }
    model_free_all(model);
    require_shown(&capture, model);
    model_destroy(model);
    capture_close(&capture);
}

static void test_shown_after_every_step(void **state)
{
    (void)state;
    run(&(struct run){
        .stream = 1, .steps = 6000, .steps_between_shows = 1, .slots = 100, .largest = 2000000});
}

static void test_long_run(void **state)
{
    (void)state;
    run(&(struct run){
        .stream = 2, .steps = 150000, .steps_between_shows = 50, .slots = 700, .largest = 2000000});
}

static void test_many_chunks(void **state)
{
    (void)state;
    run(&(struct run){.stream = 3,
                      .steps = 60000,
                      .steps_between_shows = 2000,
                      .slots = 5000,
                      .largest = 500000});
}

static void test_large_chunks(void **state)
{
    (void)state;
    run(&(struct run){
        .stream = 4, .steps = 6000, .steps_between_shows = 10, .slots = 40, .largest = 16000000});
}

int main(int argc, char **argv)
{
    seed = rng_seed_of_run(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown_after_every_step),
        cmocka_unit_test(test_long_run),
        cmocka_unit_test(test_many_chunks),
        cmocka_unit_test(test_large_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
