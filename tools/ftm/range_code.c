/*
 * The code is a number in [low, high], of which each bit takes the part that its probability says.
 * Bytes that both ends share are written at once. What is behind the end counts as 0.
 */
#include "range_code.h"

#define MARK UINT32_C(0x9d3c5a17)

enum { QUICK = 16, SLOW = 400, LEAST = 32, EVEN = 1 << 15 };

/* How much of the distance to the bit a chance goes after so many bits, in 65536ths. */
static int32_t steps[SLOW + 1];

static void set_steps(void)
{
    for (int32_t seen = 0; seen <= SLOW; seen++)
        steps[seen] = (1 << 17) / (2 * seen + 3);
}

void range_begin_writing(struct range_coder *coder, FILE *out)
{
    set_steps();
    *coder = (struct range_coder){.high = UINT64_MAX, .out = out};
}

static unsigned char next_byte(struct range_coder *coder)
{
    if (coder->at < coder->end)
        return *coder->at++;
    coder->beyond++;
    return 0;
}

void range_begin_reading(struct range_coder *coder, const void *bytes, size_t size)
{
    set_steps();
    *coder = (struct range_coder){.high = UINT64_MAX, .at = bytes};
    coder->end = coder->at + size;
    for (unsigned i = 0; i < sizeof coder->code; i++)
        coder->code = coder->code << 8 | next_byte(coder);
}

static uint16_t nearer(uint16_t chance, bool bit, uint32_t seen)
{
    int64_t distance = (bit ? UINT16_MAX : 0) - chance;

    return (uint16_t)(chance + distance * steps[seen] / (1 << 16));
}

static void learn(struct chance *chance, bool bit)
{
    chance->quick = nearer(chance->quick, bit, chance->seen < QUICK ? chance->seen : QUICK);
    chance->slow = nearer(chance->slow, bit, chance->seen);
    chance->seen += chance->seen < SLOW;
}

bool range_bit(struct range_coder *coder, struct chance *chance, bool bit)
{
    uint32_t one = ((uint32_t)chance->quick + chance->slow) / 2;
    uint64_t middle;

    if (one < LEAST)
        one = LEAST;
    else if (one > UINT16_MAX - LEAST)
        one = UINT16_MAX - LEAST;
    middle = coder->low + ((coder->high - coder->low) >> 16) * one;
    if (coder->out == NULL)
        bit = coder->code <= middle;
    if (bit)
        coder->high = middle;
    else
        coder->low = middle + 1;
    learn(chance, bit);
    while ((coder->low ^ coder->high) >> 56 == 0) {
        if (coder->out != NULL)
            (void)putc_unlocked((int)(coder->high >> 56), coder->out);
        else
            coder->code = coder->code << 8 | next_byte(coder);
        coder->low <<= 8;
        coder->high = coder->high << 8 | UINT8_MAX;
    }
    return bit;
}

bool range_is_over(const struct range_coder *coder)
{
    return coder->beyond > sizeof coder->code;
}

/* Whoever read something else than was written comes to other bits here. */
static bool code_mark(struct range_coder *coder)
{
    uint32_t read = 0;

    for (unsigned bit = 32; bit-- > 0;) {
        struct chance even = {EVEN, EVEN, 0};

        read = read << 1 | range_bit(coder, &even, MARK >> bit & 1);
    }
    return read == MARK;
}

bool range_end(struct range_coder *coder)
{
    bool right = code_mark(coder);

    /* With zeros behind it, it is above the low end, and not above the high one. */
    if (coder->out != NULL)
        (void)putc_unlocked((int)(coder->low >> 56) + 1, coder->out);
    return right && !range_is_over(coder);
}

void chances_reset(struct chance *chances, size_t count)
{
    for (size_t i = 0; i < count; i++)
        chances[i] = (struct chance){EVEN, EVEN, 0};
}
