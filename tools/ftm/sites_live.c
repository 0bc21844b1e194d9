/*
 * The table of live chunks: where each comes from, and since when.
 */
#include "sites_own.h"
#include "sites_reading.h"

/* More than a machine has memory for; a broken file may say anything. */
static const uint64_t ENTRIES_MAX = (uint64_t)1 << 30;

static void read_chunk(struct reading *reading, const char *entry)
{
    const struct ft_malloc_layout *layout = reading->layout;
    const struct site *site = sites_by_id(reading->out, half_at(entry, layout->live_site));
    uint64_t time = word_at(entry, layout->live_time);
    struct site_chunk chunk = {
        .address = word_at(entry, layout->live_address),
        .size = word_at(entry, layout->live_size),
        .bytes = word_at(entry, layout->live_stands_for),
        .count = half_at(entry, layout->live_count),
        .thread = half_at(entry, layout->live_thread),
    };

    if (chunk.address == 0 || site == NULL)
        return;
    if (!reading->clock_known && time > reading->now)
        reading->now = time;
    chunk.age_ns = time; /* until all are read, and it is known what the time is */
    chunk.site = (uint64_t)(site - reading->out->items);
    sites_add_chunk(reading->out, &chunk);
}

/* Reads a block in pieces, so that a broken size in a file costs no memory. */
static void read_live_block(void *context, uint64_t address, uint64_t entries)
{
    struct reading *reading = context;
    const struct ft_malloc_layout *layout = reading->layout;
    static char piece[256 * ITEM_MAX];
    size_t most = sizeof(piece) / layout->live_bytes;

    for (uint64_t done = 0; done < entries && reading->entries < ENTRIES_MAX;) {
        size_t count = entries - done < most ? (size_t)(entries - done) : most;

        if (!source_read(reading->source, address + done * layout->live_bytes, piece,
                         count * layout->live_bytes))
            return;
        for (size_t i = 0; i < count; i++)
            read_chunk(reading, piece + i * layout->live_bytes);
        done += count;
        reading->entries += count;
    }
}

bool live_layout_is_sane(const struct ft_malloc_layout *layout)
{
    const uint32_t offsets[] = {layout->live_address, layout->live_size, layout->live_stands_for,
                                layout->live_time,    layout->live_site, layout->live_count,
                                layout->live_thread};

    for (unsigned i = 0; i < sizeof(offsets) / sizeof(*offsets); i++)
        if (offsets[i] + sizeof(uint64_t) > layout->live_bytes &&
            (i < 4 || offsets[i] + sizeof(uint32_t) > layout->live_bytes))
            return false;
    return layout->live_bytes <= ITEM_MAX && layout->live_shards <= 4096 &&
           layout->live_block_count <= 40 && layout->live_first <= 1 << 20;
}

void live_each_block(struct source *source, const struct ft_malloc_layout *layout,
                     void (*visit)(void *context, uint64_t address, uint64_t entries),
                     void *context)
{
    uint64_t root = 0;

    if (layout->live_table == NULL || !live_layout_is_sane(layout) ||
        !source_read(source, (uintptr_t)layout->live_table, &root, sizeof(root)) || root == 0)
        return;
    for (uint64_t shard = 0; shard < layout->live_shards; shard++)
        for (uint64_t b = 0; b < layout->live_block_count; b++) {
            uint64_t place = root + (shard * layout->live_block_count + b) * sizeof(uint64_t);
            uint64_t block = 0;

            if (!source_read(source, place, &block, sizeof(block)) || block == 0)
                break;
            visit(context, block, (uint64_t)layout->live_first << b);
        }
}

void live_read(struct reading *reading)
{
    live_each_block(reading->source, reading->layout, read_live_block, reading);
    for (size_t i = 0; i < reading->out->chunk_count; i++)
        reading->out->chunks[i].age_ns = since(reading->now, reading->out->chunks[i].age_ns);
    sites_sort_chunks(reading->out);
}
