/*
 * Decoding: every string of bytes is a valid input, and changing a byte changes little of what
 * follows.
 */
#include "fuzz/fuzz.h"

#include "bins/size_class.h"

enum { HELD_BYTES_MAX = 24 << 20, TAME_SIZES = 5000 };

bool input_left(void)
{
    return fuzz.at < fuzz.end;
}

unsigned input_byte(void)
{
    return fuzz.at < fuzz.end ? *fuzz.at++ : 0;
}

size_t input_word(void)
{
    size_t low = input_byte();

    return low | (size_t)input_byte() << 8;
}

bool size_impossible(size_t size)
{
    return size > (size_t)1 << 48;
}

static size_t size_of_class(size_t shift)
{
    return size_classes[input_byte() % SIZE_CLASSES].size + shift % 5 - 3;
}

static size_t impossible_size(unsigned kind)
{
    size_t less = input_word();

    return kind % 2 == 0 ? SIZE_MAX - less : (size_t)PTRDIFF_MAX + 300 - less;
}

size_t input_size(void)
{
    unsigned kind = input_byte();
    size_t size;

    if (kind < 96)
        return kind * 8U;
    if (kind < 160)
        return size_of_class(kind);
    if (kind >= 252)
        return impossible_size(kind);
    size = input_word();
    if (kind >= 250)
        size *= 256;
    else if (kind >= 216)
        size *= 16;
    return fuzz.held_bytes + size > HELD_BYTES_MAX ? size % TAME_SIZES : size;
}
