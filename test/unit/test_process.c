/*
 * What the kernel says of the process, and whether an environment is the one that the kernel laid
 * out.
 */
#include "unit/unit.h"

#include "os/os.h"
#include "support/require.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static void test_the_kernels_environment_is_known(void **state)
{
    (void)state;
    assert_ptr_equal(os_kernel_environment(environ), environ);
}

/* Makes an array that ends at the end of a page, so that nothing behind it can be read. */
static char **at_the_end_of_a_page(char *memory, size_t page)
{
    char **made = (char **)(void *)(memory + page) - 2;

    made[0] = "PATH=/bin";
    made[1] = NULL;
    return made;
}

static void test_another_environment_is_refused(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static char *fixed[] = {NULL, "PATH=/bin", NULL};
    /* Puts the array on the stack, behind what could be arguments. */
    char *volatile own[] = {(char *)"a", (char *)"b", NULL, (char *)"PATH=/bin", NULL};

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(munmap(memory + 2 * page, page), 0);
    assert_int_equal(mprotect(memory, page, PROT_NONE), 0);
    assert_null(os_kernel_environment(at_the_end_of_a_page(memory + page, page)));
    assert_null(os_kernel_environment((char **)(void *)(memory + page)));
    assert_null(os_kernel_environment(fixed + 1));
    assert_null(os_kernel_environment((char **)(uintptr_t)(own + 3)));
    assert_null(os_kernel_environment(NULL));
    assert_int_equal(munmap(memory, 2 * page), 0);
}

static void limits(void *argument)
{
    (void)argument;
    struct rlimit limit = {(rlim_t)1 << 40, RLIM_INFINITY};

    os_look_at_process();
    REQUIRE(os_memory_limit() == SIZE_MAX, "a limit before there is one");
    REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0, "no limit");
    REQUIRE(os_memory_limit() == SIZE_MAX, "it is asked for again and again");
    os_look_at_process();
    REQUIRE(os_memory_limit() == (size_t)1 << 40, "the limit of data");
    limit.rlim_cur = (rlim_t)1 << 39;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0, "no limit");
    os_look_at_process();
    REQUIRE(os_memory_limit() == (size_t)1 << 39, "the lower one of both");
}

static void test_limits_are_asked_for_once(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(limits, NULL));
}

static void refusals(void *argument)
{
    (void)argument;
    os_look_at_process();
    REQUIRE(os_map((size_t)1 << 62) == NULL, "as much as that");
    REQUIRE(os_memory_limit() == SIZE_MAX, "a huge request says nothing about a limit");
    unit_limit(unit_address_space() + (1 << 20));
    os_look_at_process();
    REQUIRE(os_memory_limit() != SIZE_MAX, "no limit");
    REQUIRE(os_map(32 << 20) == NULL, "more than the limit");
    REQUIRE(os_memory_limit() <= (size_t)128 << 20, "the refusal went unnoticed");
}

static void test_a_refused_mapping_reveals_a_limit(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(refusals, NULL));
}

static void test_processors(void **state)
{
    (void)state;
    cpu_set_t set;

    os_look_at_process();
    assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof set, &set), 0);
    assert_int_equal(os_processors(), CPU_COUNT(&set));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_kernels_environment_is_known),
        cmocka_unit_test(test_another_environment_is_refused),
        cmocka_unit_test(test_limits_are_asked_for_once),
        cmocka_unit_test(test_a_refused_mapping_reveals_a_limit),
        cmocka_unit_test(test_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
