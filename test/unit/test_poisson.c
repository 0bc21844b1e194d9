/*
 * The arithmetic of sampling: functions against those of the mathematics library, and the
 * distribution of what is drawn.
 */
#include "unit/unit.h"

#include "debug/poisson.h"

#include <math.h>

static void test_the_logarithm_is_right(void **state)
{
    (void)state;
    // NOLINTNEXTLINE: a geometric row of values
    for (double value = 1; value > 0x1p-53; value *= 0.9973)
        assert_true(fabs(poisson_minus_ln(value) + log(value)) <= 1e-13 * (1 - log(value)));
    assert_true(poisson_minus_ln(1) == 0);
    assert_true(fabs(poisson_minus_ln(0x1p-53) - 53 * log(2)) < 1e-12);
}

static void test_the_probability_is_right(void **state)
{
    (void)state;
    // NOLINTNEXTLINE: a geometric row of values
    for (double value = 1e-12; value < 200; value *= 1.0071) {
        double right = -expm1(-value);

        assert_true(fabs(poisson_probability(value) - right) <= 1e-13 * right);
    }
    assert_true(poisson_probability(1e9) == 1);
}

/* Of gaps with mean R, a share of exp(-k) is longer than k * R; the mean is R. */
static void test_gaps_are_exponentially_distributed(void **state)
{
    (void)state;
    enum { GAPS = 200000, MEAN = 10000, LONGEST = 4 };
    uint64_t random = 1, sum = 0, longer[LONGEST] = {0};

    for (unsigned n = 0; n < GAPS; n++) {
        uint64_t gap = poisson_gap(&random, MEAN);

        assert_true(gap >= 1);
        sum += gap;
        for (unsigned k = 0; k < LONGEST; k++)
            longer[k] += gap > (k + 1) * MEAN;
    }
    assert_true(fabs((double)sum / GAPS - MEAN) < 5 * MEAN / sqrt(GAPS));
    for (unsigned k = 0; k < LONGEST; k++) {
        double share = exp(-1.0 - k);

        assert_true(fabs((double)longer[k] - share * GAPS) < 5 * sqrt(share * GAPS));
    }
}

/* A mean of one byte samples each byte nearly always; the gap is never 0. */
static void test_the_smallest_mean(void **state)
{
    (void)state;
    uint64_t random = 5, ones = 0;

    for (unsigned n = 0; n < 10000; n++)
        ones += poisson_gap(&random, POISSON_MIN) == 1;
    assert_true(fabs((double)ones / 10000 - (1 - exp(-1))) < 0.03);
}

/*
 * A program allocates chunks of one size. What the samples stand for is, on average, what it
 * allocated. The deviation that is allowed is five times the one to be expected.
 */
static void check_unbiased(size_t size, uint64_t mean, unsigned calls)
{
    uint64_t random = size * 31 + mean, left = poisson_gap(&random, mean);
    // NOLINTNEXTLINE: both are small
    double chunks = 0, bytes = 0, probability = poisson_probability(((double)size + 1) / mean);
    double samples = calls * probability;

    for (unsigned n = 0; n < calls; n++) {
        struct poisson_weight weight;

        if (left > size + 1) {
            left -= size + 1;
            continue;
        }
        left = poisson_gap(&random, mean);
        weight = poisson_weigh(&random, size, mean);
        chunks += weight.count;
        bytes += (double)weight.bytes;
    }
    assert_true(samples > 100);
    assert_true(fabs(chunks / calls - 1) < 5 * sqrt((1.5 - probability) / samples));
    assert_true(fabs(bytes / ((double)calls * size) - 1) <
                5 * sqrt((1 - probability) / samples) + 1e-9);
}

static void test_samples_add_up_to_what_was_allocated(void **state)
{
    (void)state;
    check_unbiased(16, 1024, 1000000);
    check_unbiased(100, 1024, 300000);
    check_unbiased(1024, 1024, 100000);
    check_unbiased(1500, 1024, 100000);
    check_unbiased(3000, 1024, 100000);
    check_unbiased(64, 512 << 10, 10000000);
    check_unbiased(300 << 10, 512 << 10, 100000);
    check_unbiased(100 << 20, 512 << 10, 1000);
}

/* A chunk of 0 bytes counts as one of 1 byte, and a sample of it stands for no bytes. */
static void test_chunks_of_0_bytes(void **state)
{
    (void)state;
    uint64_t random = 9;
    struct poisson_weight weight = poisson_weigh(&random, 0, 1 << 20);

    assert_in_range(weight.count, 1 << 20, (1 << 20) + 1);
    assert_int_equal(weight.bytes, 0);
}

static void test_the_largest_weight_fits(void **state)
{
    (void)state;
    uint64_t random = 9;

    assert_true(poisson_weigh(&random, 0, POISSON_MAX).count >= POISSON_MAX);
    assert_int_equal(poisson_weigh(&random, (size_t)1 << 46, 1).bytes, (uint64_t)1 << 46);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_logarithm_is_right),
        cmocka_unit_test(test_the_probability_is_right),
        cmocka_unit_test(test_gaps_are_exponentially_distributed),
        cmocka_unit_test(test_the_smallest_mean),
        cmocka_unit_test(test_samples_add_up_to_what_was_allocated),
        cmocka_unit_test(test_chunks_of_0_bytes),
        cmocka_unit_test(test_the_largest_weight_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
