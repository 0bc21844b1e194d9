/*
 * The copy. Address space is cut into windows of 1 MiB with a table of two levels, and each window
 * into pieces, which are read when somebody asks for them first.
 */
#include "image.h"

#include "pool.h"
#include "progress.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

enum {
    ADDRESS_BITS = 48,
    WINDOW_SHIFT = 20,
    TABLE_BITS = (ADDRESS_BITS - WINDOW_SHIFT) / 2,
    TABLE = 1 << TABLE_BITS,
    WINDOW = 1 << WINDOW_SHIFT,
    PIECE_SHIFT = 16,
    PIECE = 1 << PIECE_SHIFT,
    PAGE = 4096, /* the least that can be missing */
    BLOCK = 64 << WINDOW_SHIFT,
    SKIP_MAX = 1 << 30
};

struct window {
    unsigned char *bytes;
    /* Bit maps of its pieces: read, or found to be missing. */
    uint16_t read, missing;
};

struct image {
    struct source *source;
    struct progress *progress;
    struct window *tables[TABLE];
    /* Memory for windows is mapped in blocks; this is the last one. */
    unsigned char *block;
    size_t used;
    void **blocks;
    size_t block_count;
    uint64_t size;
    /* How much is left out after the next piece that is missing. */
    uint64_t skip;
};

struct image *image_open(struct source *source, struct progress *progress)
{
    struct image *image = calloc(1, sizeof *image);

    if (image == NULL)
        return NULL;
    image->source = source;
    image->progress = progress;
    image->skip = PIECE;
    return image;
}

void image_close(struct image *image)
{
    if (image == NULL)
        return;
    for (size_t i = 0; i < image->block_count; i++)
        pool_unmap(image->blocks[i], BLOCK);
    for (unsigned i = 0; i < TABLE; i++)
        free(image->tables[i]);
    free(image->blocks);
    free(image);
}

static struct window *window_of(struct image *image, uint64_t address)
{
    struct window **table = &image->tables[address >> WINDOW_SHIFT >> TABLE_BITS];

    if (*table == NULL)
        *table = calloc(TABLE, sizeof **table);
    return *table == NULL ? NULL : &(*table)[address >> WINDOW_SHIFT & (TABLE - 1)];
}

static unsigned char *new_window(struct image *image)
{
    if (image->block == NULL || image->used == BLOCK) {
        void **larger = realloc(image->blocks, (image->block_count + 1) * sizeof *larger);

        if (larger == NULL)
            return NULL;
        image->blocks = larger;
        image->block = pool_map(BLOCK);
        if (image->block == NULL)
            return NULL;
        image->blocks[image->block_count++] = image->block;
        image->used = 0;
    }
    image->used += WINDOW;
    return image->block + image->used - WINDOW;
}

/* Copies a piece, with zeros for pages that cannot be read. Returns whether any can. */
static bool read_piece(struct image *image, uint64_t start, unsigned char *out)
{
    size_t copied = 0;

    for (size_t at = 0; at < PIECE;) {
        size_t here = source_read_some(image->source, start + at, out + at, PIECE - at);

        copied += here;
        at += here;
        if (at < PIECE) {
            size_t rest = PAGE - at % PAGE;

            memset(out + at, 0, rest);
            at += rest;
        }
    }
    image->size += copied;
    /* A piece may be longer than what is asked for of it. */
    progress_step(image->progress,
                  image->size < image->progress->total ? image->size : image->progress->total);
    return copied > 0;
}

/*
 * Returns how many bytes to leave out from an address that cannot be read. A file may pretend to
 * have more address space than anybody can look at, so after a long stretch of nothing the steps
 * become larger.
 */
static size_t step_over(struct image *image, uint64_t address)
{
    uint64_t step = image->skip - address % PIECE;

    if (image->skip < SKIP_MAX)
        image->skip *= 2;
    return (size_t)step;
}

/* Reads a piece of the window, or notes that it is missing. */
static void fill(struct image *image, struct window *window, uint64_t piece)
{
    uint16_t bit = (uint16_t)(1u << (piece >> PIECE_SHIFT & (WINDOW / PIECE - 1)));
    bool fresh = window->bytes == NULL;

    if (fresh)
        window->bytes = new_window(image);
    if (window->bytes != NULL && read_piece(image, piece, window->bytes + (piece & (WINDOW - 1)))) {
        window->read |= bit;
        return;
    }
    window->missing |= bit;
    if (fresh && window->bytes != NULL) {
        window->bytes = NULL;
        image->used -= WINDOW;
    }
}

const unsigned char *image_bytes(struct image *image, uint64_t address, size_t *size)
{
    struct window *window;
    uint16_t bit = (uint16_t)(1u << (address >> PIECE_SHIFT & (WINDOW / PIECE - 1)));

    *size = PIECE - address % PIECE;
    if (address >> ADDRESS_BITS != 0 || (window = window_of(image, address)) == NULL)
        return NULL;
    if (((window->read | window->missing) & bit) == 0)
        fill(image, window, address - address % PIECE);
    if (window->missing & bit) {
        *size = step_over(image, address);
        return NULL;
    }
    image->skip = PIECE;
    return window->bytes + (address & (WINDOW - 1));
}
