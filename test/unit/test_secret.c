/*
 * The secret of the process, and what is made of it.
 */
#include "unit/unit.h"

#include "arena/thread.h"
#include "base/secret.h"
#include "support/child.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static int print_secret(void)
{
    thread_runtime_init(NULL);
    printf("%016llx", (unsigned long long)secret_word);
    return 0;
}

static void print(struct child_result *result)
{
    static const char *const argv[] = {"/proc/self/exe", "print", NULL};

    child_run(&(struct child_spec){.argv = argv}, result);
    assert_true(child_succeeded(result));
    assert_int_equal(result->out_length, 16);
    assert_string_not_equal(result->out, "0000000000000000");
}

static void test_processes_differ(void **state)
{
    (void)state;
    struct child_result first, second;

    print(&first);
    print(&second);
    assert_string_not_equal(first.out, second.out);
    child_free(&first);
    child_free(&second);
}

/* The secret never changes, because what was encoded with it must be decoded with it. */
static void test_only_the_first_call_counts(void **state)
{
    (void)state;
    uint64_t secret;

    thread_runtime_init(NULL);
    secret = secret_word;
    assert_int_not_equal(secret, 0);
    secret_init(environ);
    secret_init(NULL);
    assert_int_equal(secret_word, secret);
}

/* As if the auxiliary vector could not be reached. */
static void test_it_needs_no_auxiliary_vector(void **state)
{
    (void)state;
    uint64_t secret = secret_word, first;

    secret_word = 0;
    secret_init(NULL);
    first = secret_word;
    secret_word = 0;
    secret_init(NULL);
    assert_int_not_equal(first, 0);
    assert_int_not_equal(secret_word, first);
    secret_word = secret;
}

/* The C library makes its stack guard of the same bytes. */
static void test_the_secret_is_not_the_kernels_bytes(void **state)
{
    (void)state;
    uint64_t words[2];

    memcpy(words, (const void *)getauxval(AT_RANDOM),
           sizeof words); // NOLINT: an address becomes a pointer
    assert_int_not_equal(secret_word, words[0]);
    assert_int_not_equal(secret_word, words[1]);
    assert_int_not_equal(secret_word, words[0] ^ words[1]);
    assert_int_not_equal(secret_word & ~UINT64_C(0xff), words[0] & ~UINT64_C(0xff));
}

static void test_the_auxiliary_vector_is_found(void **state)
{
    (void)state;
    assert_int_equal(os_auxiliary(environ, AT_PAGESZ), (unsigned long)sysconf(_SC_PAGESIZE));
    assert_int_equal(os_auxiliary(environ, AT_SECURE), getauxval(AT_SECURE));
    assert_int_equal(os_auxiliary(environ, AT_RANDOM), getauxval(AT_RANDOM));
    assert_int_equal(os_auxiliary(environ, 123456), 0);
}

static uint64_t inverse(uint64_t factor)
{
    uint64_t result = factor;

    for (unsigned step = 0; step < 6; step++)
        result *= 2 - factor * result;
    return result;
}

/* Each step of the scrambling can be undone, so no two values give the same. */
static void test_scrambling_loses_nothing(void **state)
{
    (void)state;
    uint64_t undo = inverse(UINT64_C(0xd6e8feb86659fd93)), random = 1;

    for (unsigned n = 0; n < 10000; n++) {
        uint64_t value = secret_random(&random), back = secret_scramble(value);

        back ^= back >> 32;
        back *= undo;
        back ^= back >> 32;
        back *= undo;
        back ^= back >> 32;
        assert_int_equal(back, value);
    }
}

/* Changing one bit changes about half of the result. */
static void test_scrambling_spreads_each_bit(void **state)
{
    (void)state;
    uint64_t random = 7;

    for (unsigned bit = 0; bit < 64; bit++) {
        unsigned changed = 0;

        for (unsigned n = 0; n < 1000; n++) {
            uint64_t value = secret_random(&random);

            changed += (unsigned)__builtin_popcountll(secret_scramble(value) ^
                                                      secret_scramble(value ^ UINT64_C(1) << bit));
        }
        assert_in_range(changed, 25 * 1000, 39 * 1000);
    }
}

static void test_random_numbers_are_spread(void **state)
{
    (void)state;
    unsigned counts[64] = {0};
    uint64_t random = 3, same = 3;

    for (unsigned n = 0; n < 64000; n++) {
        uint64_t number = secret_random(&random);

        assert_int_equal(number, secret_random(&same));
        counts[number >> 58]++;
    }
    for (unsigned n = 0; n < 64; n++)
        assert_in_range(counts[n], 800, 1200);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_differ),
        cmocka_unit_test(test_only_the_first_call_counts),
        cmocka_unit_test(test_it_needs_no_auxiliary_vector),
        cmocka_unit_test(test_the_secret_is_not_the_kernels_bytes),
        cmocka_unit_test(test_the_auxiliary_vector_is_found),
        cmocka_unit_test(test_scrambling_loses_nothing),
        cmocka_unit_test(test_scrambling_spreads_each_bit),
        cmocka_unit_test(test_random_numbers_are_spread),
    };

    if (argc > 1 && strcmp(argv[1], "print") == 0)
        return print_secret();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
