/*
 * Tables in blocks, each an array of items of one size.
 */
#include "memory.h"
#include "sites_reading.h"

#include <stdlib.h>

/* The library's tables are far smaller; a broken file may say anything. */
static const size_t BYTES_MAX = (size_t)1 << 30;

const char *blocks_at(const struct blocks *blocks, uint32_t number)
{
    size_t block = number >> blocks->shift;
    size_t index = number & ((1U << blocks->shift) - 1);

    if (number == 0 || block >= blocks->count || blocks->blocks[block] == NULL)
        return NULL;
    return blocks->blocks[block] + index * blocks->item_bytes;
}

void blocks_read(struct reading *reading, struct blocks *blocks, uint32_t pointers,
                 uint32_t numbers)
{
    size_t bytes = blocks->item_bytes << blocks->shift;
    size_t used = (numbers + (1U << blocks->shift) - 1) >> blocks->shift;

    if (blocks->count > used)
        blocks->count = used;
    blocks->blocks = memory_new(blocks->count, sizeof(*blocks->blocks));
    for (size_t i = 0; i < blocks->count; i++) {
        uint64_t address = word_at(reading->table, pointers + (uint32_t)(i * sizeof(uint64_t)));
        char *block = NULL;

        if (address != 0 && reading->bytes + bytes <= BYTES_MAX) {
            block = memory_new(1, bytes);
            reading->bytes += bytes;
        }
        if (block != NULL && !source_read(reading->source, address, block, bytes)) {
            free(block);
            block = NULL;
        }
        blocks->blocks[i] = block;
    }
}

void blocks_free(struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->count && blocks->blocks != NULL; i++)
        free(blocks->blocks[i]);
    free(blocks->blocks);
}
