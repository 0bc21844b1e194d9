#include "number_code.h"

#include "memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    LENGTHS = 65,
    /* A length below SHORT takes the bits of SHORT; another one also those of LENGTHS. */
    SHORT_BITS = 4,
    SHORT = (1 << SHORT_BITS) - 1,
    LENGTH_BITS = 7,
    /* So many bits behind the first are likely or not by all bits in front of them. */
    KNOWN_BITS = 10,
    SLOT_BITS = 14,
    HISTORY_MASK = 15
};

struct numbers {
    struct chance is_short[LENGTHS][1 << SHORT_BITS];
    struct chance length[LENGTHS][1 << LENGTH_BITS];
    struct chance known[LENGTHS][1 << KNOWN_BITS];
    struct chance low[LENGTHS][LENGTHS];
    struct chance right[NUMBER_GUESSES][HISTORY_MASK + 1];
    unsigned history; /* which of the last guesses were right */
    uint64_t guesses[NUMBER_GUESSES][1 << SLOT_BITS];
};

struct numbers *numbers_new(void)
{
    return memory_new(1, sizeof(struct numbers));
}

void numbers_free(struct numbers *numbers)
{
    free(numbers);
}

void numbers_reset(struct numbers *numbers)
{
    chances_reset(numbers->is_short[0], sizeof numbers->is_short / sizeof(struct chance));
    chances_reset(numbers->length[0], sizeof numbers->length / sizeof(struct chance));
    chances_reset(numbers->known[0], sizeof numbers->known / sizeof(struct chance));
    chances_reset(numbers->low[0], sizeof numbers->low / sizeof(struct chance));
    chances_reset(numbers->right[0], sizeof numbers->right / sizeof(struct chance));
    numbers->history = 0;
    memset(numbers->guesses, 0, sizeof numbers->guesses);
}

unsigned number_length(uint64_t number)
{
    return number == 0 ? 0 : 64 - (unsigned)__builtin_clzll(number);
}

static unsigned code_bits(struct range_coder *coder, struct chance *chances, unsigned bits,
                          unsigned value)
{
    unsigned node = 1;

    for (unsigned bit = bits; bit-- > 0;)
        node = node << 1 | range_bit(coder, &chances[node], value >> bit & 1);
    return node - (1U << bits);
}

static unsigned code_length(struct range_coder *coder, struct numbers *numbers, unsigned context,
                            unsigned length)
{
    unsigned code =
        code_bits(coder, numbers->is_short[context], SHORT_BITS, length < SHORT ? length : SHORT);

    if (code == SHORT)
        code = code_bits(coder, numbers->length[context], LENGTH_BITS, length);
    return code < LENGTHS ? code : LENGTHS - 1; /* a broken file may say more */
}

static uint64_t code_whole(struct range_coder *coder, struct numbers *numbers, unsigned context,
                           uint64_t number)
{
    unsigned length = code_length(coder, numbers, context, number_length(number));
    unsigned left = length == 0 ? 0 : length - 1, node = 1;
    uint64_t result = length > 0;

    for (; left > 0 && node < 1 << KNOWN_BITS; left--) {
        bool bit = range_bit(coder, &numbers->known[length][node], number >> (left - 1) & 1);

        node = node << 1 | bit;
        result = result << 1 | bit;
    }
    for (; left > 0; left--)
        result =
            result << 1 | range_bit(coder, &numbers->low[length][left], number >> (left - 1) & 1);
    return result;
}

static uint64_t *slot_of(struct numbers *numbers, const struct number_before *before, unsigned way)
{
    return &numbers->guesses[way]
                            [before->keys[way] * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SLOT_BITS)];
}

/* Returns whether a guess is right, which is then *number. */
static bool code_guess(struct range_coder *coder, struct numbers *numbers,
                       const struct number_before *before, uint64_t *number)
{
    for (unsigned way = 0; way < NUMBER_GUESSES; way++) {
        uint64_t guess = *slot_of(numbers, before, way);
        bool known = false, right;

        for (unsigned earlier = 0; earlier < way; earlier++)
            known = known || *slot_of(numbers, before, earlier) == guess;
        if (known)
            continue;
        right = range_bit(coder, &numbers->right[way][numbers->history & HISTORY_MASK],
                          guess == *number);
        numbers->history = numbers->history << 1 | right;
        if (right) {
            *number = guess;
            return true;
        }
    }
    return false;
}

uint64_t number_code(struct range_coder *coder, struct numbers *numbers,
                     const struct number_before *before, uint64_t number)
{
    if (!before->guessed || !code_guess(coder, numbers, before, &number))
        number = code_whole(coder, numbers, before->context, number);
    for (unsigned way = 0; before->guessed && way < NUMBER_GUESSES; way++)
        *slot_of(numbers, before, way) = number;
    return number;
}
