/*
 * The tables of the size classes. The compiler computes them from the formulas below, the only
 * place where these are written down.
 */
#include "bins/size_class.h"

/* Chunk size of class c: 16 to 128 by 16, then a doubling in eight steps. */
#define DOUBLING(c) ((c) < 8 ? 0 : ((c)-8) / 8)
#define SIZE(c)                                                                                    \
    ((c) < 8 ? ((c) + 1) * 16ul                                                                    \
             : (128ul << DOUBLING(c)) + (((c)-8) % 8 + 1) * (16ul << DOUBLING(c)))

/*
 * Slab sizes. Untouched pages cost nothing, but threads that come and go put their slabs at other
 * places each time and so touch their first pages. A slab is one unit for TINY; for SMALL 32 KiB
 * growing to 64 KiB or a little more, so that an eighth at most is left over. Above 32 KiB a slab
 * holds four, two, or one chunk, exactly: those sizes are multiples of 4, 8 and 16 KiB.
 */
#define FITS(c, units) ((units)*UNIT_SIZE % SIZE(c) * 8 <= (units)*UNIT_SIZE)
#define UNITS(c)                                                                                   \
    (SIZE(c) <= TINY_MAX     ? 1                                                                   \
     : SIZE(c) <= 1024       ? 2                                                                   \
     : SIZE(c) <= 4 * 1024   ? 4                                                                   \
     : SIZE(c) <= 8 * 1024   ? 5                                                                   \
     : SIZE(c) <= 32 * 1024  ? FITS(c, 4)   ? 4                                                    \
                               : FITS(c, 5) ? 5                                                    \
                                            : 6                                                    \
     : SIZE(c) <= 64 * 1024  ? SIZE(c) * 4 / UNIT_SIZE                                             \
     : SIZE(c) <= 128 * 1024 ? SIZE(c) * 2 / UNIT_SIZE                                             \
                             : SIZE(c) / UNIT_SIZE)

#define CLASS(c)                                                                                   \
    {                                                                                              \
        .size = SIZE(c), .inverse = (uint32_t)(((1ul << 32) + SIZE(c) - 1) / SIZE(c)),             \
        .chunks = UNITS(c) * UNIT_SIZE / SIZE(c), .units = UNITS(c),                               \
    }
#define CLASSES_8(c)                                                                               \
    CLASS((c)), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3), CLASS((c) + 4), CLASS((c) + 5),    \
        CLASS((c) + 6), CLASS((c) + 7)

const struct size_class size_classes[SIZE_CLASSES] = {
    CLASSES_8(0),  CLASSES_8(8),  CLASSES_8(16), CLASSES_8(24), CLASSES_8(32), CLASSES_8(40),
    CLASSES_8(48), CLASSES_8(56), CLASSES_8(64), CLASSES_8(72), CLASSES_8(80), CLASSES_8(88),
};

const uint8_t tiny_class_by_granule[TINY_MAX / CHUNK_ALIGN + 1] = {
    0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 16, 17, 17,
    18, 18, 19, 19, 20, 20, 21, 21, 22, 22, 23, 23, 24, 24, 24, 24, 25, 25, 25, 25, 26,
    26, 26, 26, 27, 27, 27, 27, 28, 28, 28, 28, 29, 29, 29, 29, 30, 30, 30, 30,
};

static_assert(SIZE(TINY_CLASSES - 1) == TINY_MAX, "the last TINY class is the zone's limit");
static_assert(SIZE(SIZE_CLASSES - 1) == SMALL_MAX, "the last class is the limit of SMALL");
static_assert(UNITS(SIZE_CLASSES - 1) == SLAB_UNITS_MAX,
              "no slab is larger than the largest chunk");
