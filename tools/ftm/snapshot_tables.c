/*
 * Which fields there are, how each is told, and which items. Live chunks are sorted by address:
 * nobody but the library itself cares where in its blocks an entry is. They are read first, then
 * the sites that they name, then the nodes that those name, because a process goes on meanwhile.
 */
#include "snapshot_tables.h"

#include "callees.h"
#include "memory.h"
#include "sites.h"
#include "sites_reading.h"
#include "snapshot_columns.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>

enum {
    FROM_LAST = SNAPSHOT_FROM_LAST,
    FROM_BASE = SNAPSHOT_FROM_BASE,
    GUESSED = SNAPSHOT_GUESSED,
    AT_ONCE = 256,
    /* Of items; a broken core file may say anything. */
    MOST = 1 << 26
};

static void set_fields(struct columns *columns, const struct snapshot_field *fields, size_t count)
{
    columns->field_count = (unsigned)count;
    memcpy(columns->fields, fields, count * sizeof fields[0]);
}

static void add_piece(struct columns *columns, uint64_t address, uint64_t count)
{
    columns->pieces = memory_grow(columns->pieces, &columns->piece_room, columns->piece_count,
                                  sizeof *columns->pieces);
    columns->pieces[columns->piece_count++] = (struct snapshot_piece){address, count};
}

static void add_item(struct columns *columns, const char *item)
{
    columns->items =
        memory_grow(columns->items, &columns->room, columns->count, columns->item_bytes);
    memcpy(columns->items + columns->count++ * columns->item_bytes, item, columns->item_bytes);
}

struct live_reading {
    struct source *source;
    const struct ft_malloc_layout *layout;
    struct columns *columns;
};

static void read_live(void *context, uint64_t address, uint64_t entries)
{
    const struct live_reading *reading = context;
    struct columns *columns = reading->columns;
    static char items[AT_ONCE * ITEM_MAX];

    if (entries > MOST)
        return;
    add_piece(columns, address, entries);
    for (uint64_t done = 0, count; done < entries; done += count) {
        count = entries - done < AT_ONCE ? entries - done : AT_ONCE;
        if (!source_read(reading->source, address + done * columns->item_bytes, items,
                         count * columns->item_bytes))
            return;
        for (uint64_t i = 0; i < count; i++)
            if (word_at(items + i * columns->item_bytes, reading->layout->live_address) != 0)
                add_item(columns, items + i * columns->item_bytes);
    }
}

static int by_address(const void *one, const void *other, void *offset)
{
    uint64_t a = word_at(one, *(const uint32_t *)offset);
    uint64_t b = word_at(other, *(const uint32_t *)offset);

    return (a > b) - (a < b);
}

static void get_live(struct view *view, const struct ft_malloc_layout *layout,
                     struct columns *columns)
{
    const struct snapshot_field fields[] = {
        {(uint16_t)layout->live_address, 8, FROM_LAST | GUESSED, 0},
        {(uint16_t)layout->live_size, 8, 0, 0},
        {(uint16_t)layout->live_stands_for, 8, FROM_BASE | GUESSED, 1},
        {(uint16_t)layout->live_time, 8, FROM_LAST | GUESSED, 0},
        {(uint16_t)layout->live_site, 4, GUESSED, 0},
        {(uint16_t)layout->live_count, 4, GUESSED, 0},
        {(uint16_t)layout->live_thread, 4, FROM_LAST | GUESSED, 0}};
    struct live_reading reading = {view_source(view), layout, columns};
    uint32_t key = layout->live_address;

    columns->item_bytes = layout->live_bytes;
    set_fields(columns, fields, sizeof fields / sizeof *fields);
    live_each_block(view_source(view), layout, read_live, &reading);
    if (columns->count > 0)
        qsort_r(columns->items, columns->count, columns->item_bytes, by_address, &key);
}

/* Where in the table a kind of items is. */
struct numbered {
    uint32_t count, blocks, block_count, shift;
};

static void get_numbered(struct source *source, uint64_t table, const struct numbered *where,
                         struct columns *columns)
{
    uint64_t each = UINT64_C(1) << where->shift, block;
    uint32_t count = 0;
    char *items;

    (void)source_read(source, table + where->count, &count, sizeof count);
    items = memory_new(each, columns->item_bytes);
    for (uint32_t i = 0; i < where->block_count && columns->count < count; i++) {
        if (!source_read(source, table + where->blocks + i * sizeof block, &block, sizeof block) ||
            block == 0 || !source_read(source, block, items, each * columns->item_bytes))
            break;
        add_piece(columns, block, each);
        for (uint64_t k = 0; k < each && columns->count < count; k++)
            add_item(columns, items + k * columns->item_bytes);
    }
    free(items);
}

static void get_sites(struct view *view, const struct ft_malloc_layout *layout, uint64_t table,
                      struct columns *columns)
{
    const struct snapshot_field fields[] = {
        {(uint16_t)layout->site_node, 4, FROM_LAST, 0},
        {(uint16_t)layout->site_truncated, 2, 0, 0},
        {(uint16_t)layout->site_allocations, 8, 0, 0},
        {(uint16_t)layout->site_samples, 8, FROM_BASE | GUESSED, 2},
        {(uint16_t)layout->site_freed, 8, FROM_BASE | GUESSED, 2},
        {(uint16_t)layout->site_allocated_bytes, 8, GUESSED, 0},
        {(uint16_t)layout->site_freed_bytes, 8, FROM_BASE | GUESSED, 5},
        {(uint16_t)layout->site_most_bytes, 8, FROM_BASE | GUESSED, 5},
        {(uint16_t)layout->site_peak, 8, GUESSED, 0},
        {(uint16_t)layout->site_most, 8, FROM_BASE | GUESSED, 8},
        {(uint16_t)layout->site_temporary, 8, GUESSED, 0},
        {(uint16_t)layout->site_temporary_bytes, 8, GUESSED, 0},
        {(uint16_t)layout->site_peak_bytes, 8, GUESSED, 0},
        {(uint16_t)layout->site_peak_number, 8, GUESSED, 0},
        {(uint16_t)layout->site_lifetime, 8, GUESSED, 0}};
    const struct numbered where = {layout->stack_sites, layout->stack_site_blocks,
                                   layout->stack_site_block_count, layout->stack_site_shift};

    columns->item_bytes = layout->site_bytes;
    set_fields(columns, fields, sizeof fields / sizeof *fields);
    get_numbered(view_source(view), table, &where, columns);
}

static void get_nodes(struct view *view, const struct ft_malloc_layout *layout, uint64_t table,
                      struct columns *columns)
{
    const struct snapshot_field fields[] = {
        {(uint16_t)layout->node_parent, 4, SNAPSHOT_ANCESTOR, 0},
        {(uint16_t)layout->node_pc, 8, SNAPSHOT_CALLEE, 0}};
    const struct numbered where = {layout->stack_nodes, layout->stack_node_blocks,
                                   layout->stack_node_block_count, layout->stack_node_shift};

    columns->item_bytes = layout->node_bytes;
    set_fields(columns, fields, sizeof fields / sizeof *fields);
    get_numbered(view_source(view), table, &where, columns);
    if (!callees_suit(columns, &columns->fields[1]))
        columns->fields[1].how = GUESSED;
}

void snapshot_tables_read(struct view *view, struct snapshot_tables *tables)
{
    const struct ft_malloc_layout *layout = view_layout(view);
    struct columns columns[SNAPSHOT_TABLE_COUNT] = {{.items = NULL}};
    uint64_t table = 0;

    *tables = (struct snapshot_tables){.blocks = {.list = NULL}};
    if (!sites_present(view) || !sites_layout_is_sane(layout) || !live_layout_is_sane(layout) ||
        !source_read(view_source(view), (uintptr_t)layout->stack_table, &table, sizeof table))
        return;
    get_live(view, layout, &columns[0]);
    get_sites(view, layout, table, &columns[1]);
    get_nodes(view, layout, table, &columns[2]);
    for (unsigned i = 0; i < SNAPSHOT_TABLE_COUNT; i++) {
        if (columns[i].count > 0)
            tables->of[i].bytes = columns_write(&columns[i], &tables->of[i].size);
        for (size_t k = 0; tables->of[i].bytes != NULL && k < columns[i].piece_count; k++)
            ranges_add(&tables->blocks, columns[i].pieces[k].address,
                       columns[i].pieces[k].items * columns[i].item_bytes);
        columns_free(&columns[i]);
    }
    ranges_join(&tables->blocks);
}

void snapshot_tables_free(struct snapshot_tables *tables)
{
    for (unsigned i = 0; i < SNAPSHOT_TABLE_COUNT; i++)
        free(tables->of[i].bytes);
    ranges_free(&tables->blocks);
}
