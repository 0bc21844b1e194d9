/*
 * Reads the table of stacks and the table of live chunks, by the offsets in ft_malloc_layout. The
 * process may go on meanwhile, and a file may be broken: numbers are checked before they are
 * followed, and blocks that cannot be read are left out.
 */
#include "command.h"
#include "memory.h"
#include "sites_own.h"
#include "sites_reading.h"

#include <stdlib.h>
#include <time.h>

bool sites_layout_is_sane(const struct ft_malloc_layout *layout)
{
    const uint32_t site[] = {layout->site_node,
                             layout->site_truncated,
                             layout->site_samples,
                             layout->site_allocations,
                             layout->site_allocated_bytes,
                             layout->site_freed,
                             layout->site_freed_bytes,
                             layout->site_temporary,
                             layout->site_temporary_bytes,
                             layout->site_lifetime,
                             layout->site_most,
                             layout->site_most_bytes,
                             layout->site_peak,
                             layout->site_peak_bytes,
                             layout->site_peak_number};

    for (unsigned i = 0; i < sizeof(site) / sizeof(*site); i++)
        if (site[i] + sizeof(uint64_t) > layout->site_bytes)
            return false;
    return layout->site_bytes <= ITEM_MAX && layout->node_bytes <= ITEM_MAX &&
           layout->node_pc + sizeof(uint64_t) <= layout->node_bytes &&
           layout->node_parent + sizeof(uint32_t) <= layout->node_bytes &&
           layout->stack_site_shift <= SHIFT_MAX && layout->stack_node_shift <= SHIFT_MAX &&
           layout->stack_site_block_count <= BLOCKS_MAX &&
           layout->stack_node_block_count <= BLOCKS_MAX;
}

/* The size of struct stack_table: behind everything that is looked at. */
static size_t table_size(const struct ft_malloc_layout *layout)
{
    const uint32_t words[] = {
        layout->stack_sites,    layout->stack_nodes,     layout->stack_began,
        layout->stack_interval, layout->stack_peak_time, layout->stack_peak_number,
        layout->stack_taken,    layout->stack_truncated, layout->stack_overflowed,
        layout->stack_nested,   layout->stack_dropped};
    size_t end =
        layout->stack_site_blocks + (size_t)layout->stack_site_block_count * sizeof(uint64_t);
    size_t other =
        layout->stack_node_blocks + (size_t)layout->stack_node_block_count * sizeof(uint64_t);

    end = other > end ? other : end;
    for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
        end = words[i] + sizeof(uint64_t) > end ? words[i] + sizeof(uint64_t) : end;
    return end;
}

bool sites_present(struct view *view)
{
    const void *pointer = view_layout(view)->stack_table;
    uint64_t address = 0;

    return pointer != NULL &&
           source_read(view_source(view), (uintptr_t)pointer, &address, sizeof(address)) &&
           address != 0;
}

/* Reads the root. Returns false after a line on stderr. */
static bool read_table(struct reading *reading)
{
    const struct ft_malloc_layout *layout = reading->layout;
    uint64_t address = 0;

    if (layout->stack_table == NULL) {
        say("the library in %s is too old to have a profile", source_name(reading->source));
        return false;
    }
    if (!sites_present(reading->view) ||
        !source_read(reading->source, (uintptr_t)layout->stack_table, &address, sizeof(address))) {
        say("%s has no profile; start it with FT_MALLOC_PROFILE=512K or FT_MALLOC_RECORD=1, or "
            "switch it on: `ftm set PID PROFILE=512K`",
            source_name(reading->source));
        return false;
    }
    reading->table_size = sites_layout_is_sane(layout) ? table_size(layout) : 0;
    if (reading->table_size == 0 || reading->table_size > (size_t)64 << 20) {
        say("the layout of the profile in %s is broken", source_name(reading->source));
        return false;
    }
    reading->table = memory_new(1, reading->table_size);
    if (!source_read(reading->source, address, reading->table, reading->table_size)) {
        say("the profile in %s cannot be read", source_name(reading->source));
        return false;
    }
    return true;
}

static uint64_t total_at(const struct reading *reading, uint32_t offset)
{
    return word_at(reading->table, offset);
}

/* Stores the frames of a stack, innermost first. Returns how many there are. */
static unsigned read_frames(const struct reading *reading, uint32_t node, uint64_t *pcs)
{
    unsigned depth = 0;

    while (node != 0 && depth < DEPTH_MAX) {
        const char *record = blocks_at(&reading->nodes, node);
        uint32_t parent;

        if (record == NULL)
            break;
        pcs[depth++] = word_at(record, reading->layout->node_pc);
        parent = half_at(record, reading->layout->node_parent);
        /* Nodes are added behind their parents, so a chain that rises is broken. */
        if (parent >= node)
            break;
        node = parent;
    }
    return depth;
}

/* A process goes on while it is read, so a difference may be below 0 for a moment. */
static uint64_t less(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

static void read_site(struct reading *reading, uint32_t number, const char *record)
{
    const struct ft_malloc_layout *layout = reading->layout;
    static uint64_t pcs[DEPTH_MAX];
    unsigned depth = read_frames(reading, half_at(record, layout->site_node), pcs);
    uint16_t truncated;
    struct site figures = {
        .allocations = word_at(record, layout->site_allocations),
        .bytes = word_at(record, layout->site_allocated_bytes),
        .freed = word_at(record, layout->site_freed),
        .freed_bytes = word_at(record, layout->site_freed_bytes),
        .lifetime_ns = word_at(record, layout->site_lifetime),
        .temporary = word_at(record, layout->site_temporary),
        .temporary_bytes = word_at(record, layout->site_temporary_bytes),
        .most = word_at(record, layout->site_most),
        .most_bytes = word_at(record, layout->site_most_bytes),
    };
    struct site *site;

    memcpy(&truncated, record + layout->site_truncated, sizeof(truncated));
    if (figures.allocations == 0 && figures.freed == 0)
        return;
    figures.live = less(figures.allocations, figures.freed);
    figures.live_bytes = less(figures.bytes, figures.freed_bytes);
    figures.peak = figures.live;
    figures.peak_bytes = figures.live_bytes;
    /* Else the site has not changed since the peak. */
    if (word_at(record, layout->site_peak_number) == reading->peak_number) {
        figures.peak = word_at(record, layout->site_peak);
        figures.peak_bytes = word_at(record, layout->site_peak_bytes);
    }
    site = sites_add(reading->out, pcs, depth, truncated != 0);
    if (site->id == 0)
        site->id = number;
    site_sum(site, &figures);
    sites_name(reading->out, number, site);
}

static void read_totals(struct reading *reading)
{
    const struct ft_malloc_layout *layout = reading->layout;
    struct sites *sites = reading->out;
    const char *command = source_command(reading->source);
    struct timespec now;

    sites->interval = total_at(reading, layout->stack_interval);
    sites->samples = total_at(reading, layout->stack_taken);
    sites->truncated = total_at(reading, layout->stack_truncated);
    sites->overflowed = total_at(reading, layout->stack_overflowed);
    sites->dropped = total_at(reading, layout->stack_dropped);
    sites->duration_ns = since(reading->now, reading->began);
    sites->peak_ns = since(total_at(reading, layout->stack_peak_time), reading->began);
    sites->pid = (int)source_pid(reading->source);
    sites->command = command[0] == '\0' ? NULL : memory_text(command, strlen(command));
    if (source_kind(reading->source) == SOURCE_LIVE) {
        clock_gettime(CLOCK_REALTIME, &now);
        sites->start_ns =
            (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec - sites->duration_ns;
    }
}

static void read_sites(struct reading *reading)
{
    const struct ft_malloc_layout *layout = reading->layout;
    uint32_t sites = half_at(reading->table, layout->stack_sites);
    uint32_t nodes = half_at(reading->table, layout->stack_nodes);
    uint64_t end;

    reading->sites = (struct blocks){.count = layout->stack_site_block_count,
                                     .shift = layout->stack_site_shift,
                                     .item_bytes = layout->site_bytes};
    reading->nodes = (struct blocks){.count = layout->stack_node_block_count,
                                     .shift = layout->stack_node_shift,
                                     .item_bytes = layout->node_bytes};
    blocks_read(reading, &reading->sites, layout->stack_site_blocks, sites);
    blocks_read(reading, &reading->nodes, layout->stack_node_blocks, nodes);
    /* There are no blocks beyond, whatever the table says. */
    end = (uint64_t)reading->sites.count << reading->sites.shift;
    end = sites < end ? sites : end;
    for (uint64_t number = 1; number < end; number++) {
        const char *record = blocks_at(&reading->sites, (uint32_t)number);

        if (record != NULL)
            read_site(reading, (uint32_t)number, record);
        else
            number |= (1U << reading->sites.shift) - 1;
    }
}

struct sites *sites_read(struct view *view)
{
    struct reading reading = {
        .view = view, .source = view_source(view), .layout = view_layout(view)};

    if (!read_table(&reading)) {
        free(reading.table);
        return NULL;
    }
    reading.out = sites_new();
    reading.now = source_clock(reading.source);
    reading.clock_known = reading.now != 0;
    if (!reading.clock_known)
        reading.now = total_at(&reading, reading.layout->stack_peak_time);
    reading.began = total_at(&reading, reading.layout->stack_began);
    reading.peak_number = total_at(&reading, reading.layout->stack_peak_number);
    read_sites(&reading);
    live_read(&reading);
    read_totals(&reading);
    blocks_free(&reading.sites);
    blocks_free(&reading.nodes);
    free(reading.table);
    return reading.out;
}
