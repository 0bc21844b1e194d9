/*
 * Logarithm and exponential function by their series, after the argument is brought close to where
 * the series converge fast.
 */
#include "debug/poisson.h"

#include "base/secret.h"

#include <string.h>

#define LN_2 0.693147180559945309417

/*
 * With value = m * 2^e and m between sqrt(1/2) and sqrt(2): ln m = 2 artanh((m - 1) / (m + 1)), and
 * the argument of artanh is below 0.172.
 */
double poisson_minus_ln(double value)
{
    enum { MANTISSA = 52, BIAS = 1023, TERMS = 10 };
    uint64_t bits;
    double m, ratio, power, sum = 0;
    int exponent;

    memcpy(&bits, &value, sizeof bits);
    exponent = (int)(bits >> MANTISSA) - BIAS;
    bits = (bits & ((UINT64_C(1) << MANTISSA) - 1)) | (uint64_t)BIAS << MANTISSA;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356237309504880) {
        m /= 2;
        exponent++;
    }
    ratio = (m - 1) / (m + 1);
    power = ratio;
    for (int term = 0; term < TERMS; term++) {
        sum += power / (2 * term + 1);
        power *= ratio * ratio;
    }
    return -(exponent * LN_2 + 2 * sum);
}

/*
 * 1 - exp(-x) of a small x by its series, which loses no digits to the difference. From f(x) it
 * follows that f(2x) = f(x) * (2 - f(x)).
 */
double poisson_probability(double value)
{
    enum { TERMS = 12, HALVINGS_MOST = 7 };
    double x = value, term, sum = 0;
    unsigned halvings = 0;

    if (value > 1 << (HALVINGS_MOST - 1))
        return 1; /* to all digits */
    // NOLINTNEXTLINE: halving is exact
    for (; x > 0.5; x /= 2)
        halvings++;
    term = x;
    for (int n = 2; n < TERMS + 2; n++) {
        sum += term;
        term *= -x / n;
    }
    while (halvings-- > 0)
        sum *= 2 - sum;
    return sum;
}

/* Returns a number in (0, 1], of 53 bits. */
static double uniform(uint64_t *random)
{
    return (double)((secret_random(random) >> 11) + 1) * 0x1p-53;
}

uint64_t poisson_gap(uint64_t *random, uint64_t mean)
{
    double gap = poisson_minus_ln(uniform(random)) * (double)mean;

    /* Rounded up, so that a gap above n bytes has exactly the probability exp(-n / mean). */
    return (uint64_t)gap + ((double)(uint64_t)gap < gap || gap < 1);
}

struct poisson_weight poisson_weigh(uint64_t *random, size_t size, uint64_t mean)
{
    double stands_for = 1 / poisson_probability(((double)size + 1) / (double)mean);
    double bytes = (double)size * stands_for;
    uint32_t count = stands_for < UINT32_MAX ? (uint32_t)stands_for : UINT32_MAX;

    if (stands_for - (double)count >= uniform(random) && count != UINT32_MAX)
        count++;
    return (struct poisson_weight){.count = count, .bytes = (uint64_t)(bytes + 0.5)};
}
