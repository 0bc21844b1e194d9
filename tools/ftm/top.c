/*
 * One look at a process: sums, rates against the look before, and the lines at the top.
 */
#include "top.h"

#include "memory.h"
#include "sites.h"
#include "source.h"
#include "symbols.h"
#include "table.h"
#include "top_fill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t top_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

bool top_open(struct top *top, int pid)
{
    char name[16];

    *top = (struct top){.pid = pid};
    snprintf(name, sizeof(name), "%d", pid);
    top->source = source_open(name);
    if (top->source != NULL)
        top->view = view_open(top->source);
    if (top->view == NULL) {
        top_close(top);
        return false;
    }
    top->symbols = symbols_open(top->source);
    top_fill_begin(top);
    return true;
}

void top_close(struct top *top)
{
    for (unsigned i = 0; i < TOP_PANELS; i++)
        panel_clear(&top->panels[i]);
    panel_clear(&top->sites_before);
    panel_clear(&top->threads_before);
    symbols_close(top->symbols);
    if (top->view != NULL)
        view_close(top->view);
    if (top->source != NULL)
        source_close(top->source);
    *top = (struct top){.pid = top->pid};
}

static void sum_sites(struct top *top, const struct sites *sites)
{
    top->truncated_percent = percent_of(sites->truncated, sites->samples);
    for (size_t i = 0; i < sites->count; i++) {
        top->now.allocations += sites->items[i].allocations;
        top->now.allocated_bytes += sites->items[i].bytes;
    }
}

bool top_look(struct top *top)
{
    struct sites *sites;

    top->before = top->now;
    top->now = (struct top_figures){.time_ns = top_clock()};
    if (!process_stat_read(top->pid, &top->now.process) || !view_stats(top->view, &top->stats))
        return false;
    for (int zone = 0; zone < ZONES; zone++) {
        top->now.live += top->stats.zone[zone].requested;
        top->now.live_chunks += top->stats.zone[zone].chunks;
    }
    top->has_sites = sites_present(top->view);
    sites = top->has_sites ? sites_read(top->view) : NULL;
    if (sites != NULL)
        sum_sites(top, sites);
    top_fill(top, sites);
    sites_free(sites);
    return true;
}

/* The change of a figure for each second since the last look. */
static double rate(const struct top *top, uint64_t now, uint64_t before)
{
    uint64_t time = top->now.time_ns - top->before.time_ns;

    if (top->before.time_ns == 0 || time == 0)
        return 0;
    return (double)(int64_t)(now - before) * 1e9 / (double)time;
}

static void line_of_process(const struct top *top, char line[TOP_LINE])
{
    const char *command = source_command(top->source);
    double cpu = rate(top, top->now.process.cpu_ns, top->before.process.cpu_ns) / 1e7;

    snprintf(line, TOP_LINE, "%d  %u threads  %.1f %% CPU  %s", top->pid, top->now.process.threads,
             cpu > 0 ? cpu : 0, command[0] == '\0' ? "?" : command);
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

static void line_of_bytes(const struct top *top, char line[TOP_LINE])
{
    char live[SIZE_TEXT], resident[SIZE_TEXT], swapped[SIZE_TEXT], cached[SIZE_TEXT];
    char chunks[NUMBER_TEXT];

    snprintf(line, TOP_LINE, "live %s in %s chunks   resident %s   swapped %s   cached LARGE %s",
             size_text(top->now.live, live), number_text(top->now.live_chunks, chunks),
             size_text(top->now.process.resident, resident),
             size_text(top->now.process.swapped, swapped), size_text(top->stats.cached, cached));
}

static void line_of_rates(const struct top *top, char line[TOP_LINE])
{
    char live[NUMBER_TEXT], resident[NUMBER_TEXT], calls[NUMBER_TEXT], bytes[NUMBER_TEXT];
    int length = snprintf(
        line, TOP_LINE, "live %s/s   resident %s/s",
        signed_size_text((int64_t)rate(top, top->now.live, top->before.live), live),
        signed_size_text(
            (int64_t)rate(top, top->now.process.resident, top->before.process.resident), resident));
    double called = rate(top, top->now.allocations, top->before.allocations);

    if (!top->has_sites)
        snprintf(line + length, TOP_LINE - (size_t)length,
                 "   allocations: `ftm set %d PROFILE=512K` counts them", top->pid);
    else
        snprintf(
            line + length, TOP_LINE - (size_t)length,
            "   allocations %s/s, %s/s   %.1f %% of stacks truncated",
            number_text(called > 0 ? (uint64_t)called : 0, calls),
            signed_size_text(
                (int64_t)rate(top, top->now.allocated_bytes, top->before.allocated_bytes), bytes),
            top->truncated_percent);
}

static void line_of_zone(const struct top *top, int zone, char line[TOP_LINE])
{
    static const char *const names[ZONES] = {
        [ZONE_TINY] = "TINY", [ZONE_SMALL] = "SMALL", [ZONE_LARGE] = "LARGE"};
    char chunks[NUMBER_TEXT], heaps[NUMBER_TEXT];
    char requested[SIZE_TEXT], usable[SIZE_TEXT], vacant[SIZE_TEXT], mapped[SIZE_TEXT];

    snprintf(line, TOP_LINE, "%-6s%14s%12s%12s%14s%12s%10s", names[zone],
             number_text(top->stats.zone[zone].chunks, chunks),
             size_text(top->stats.zone[zone].requested, requested),
             size_text(top->stats.zone[zone].usable, usable),
             size_text(top->stats.zone[zone].vacant, vacant),
             size_text(top->stats.zone[zone].mapped, mapped),
             number_text(top->stats.zone[zone].heaps, heaps));
}

bool top_line(const struct top *top, unsigned number, char line[TOP_LINE])
{
    line[0] = '\0';
    if (number == 0)
        line_of_process(top, line);
    else if (number == 1)
        line_of_bytes(top, line);
    else if (number == 2)
        line_of_rates(top, line);
    else if (number == 4)
        snprintf(line, TOP_LINE, "%-6s%14s%12s%12s%14s%12s%10s", "ZONE", "CHUNKS", "REQUESTED",
                 "USABLE", "FREE IN SLABS", "MAPPED", "HEAPS");
    else if (number >= 5 && number < 5 + ZONES)
        line_of_zone(top, (int)number - 5, line);
    return number < 5 + ZONES;
}

void top_print(const struct top *top, struct out *out, size_t rows)
{
    char line[TOP_LINE];

    for (unsigned i = 0; top_line(top, i, line); i++)
        out_format(out, "%s\n", line);
    for (unsigned i = 0; i < TOP_PANELS; i++) {
        out_text(out, "\n");
        panel_print(&top->panels[i], out, rows);
    }
}

static void json_zones(const struct top *top, struct json *json)
{
    static const char *const names[ZONES] = {
        [ZONE_TINY] = "tiny", [ZONE_SMALL] = "small", [ZONE_LARGE] = "large"};

    json_object(json, "zones");
    for (int zone = 0; zone < ZONES; zone++) {
        json_object(json, names[zone]);
        json_number(json, "chunks", top->stats.zone[zone].chunks);
        json_number(json, "requested", top->stats.zone[zone].requested);
        json_number(json, "usable", top->stats.zone[zone].usable);
        json_number(json, "vacant", top->stats.zone[zone].vacant);
        json_number(json, "mapped", top->stats.zone[zone].mapped);
        json_number(json, "heaps", top->stats.zone[zone].heaps);
        json_close(json);
    }
    json_close(json);
}

void top_json(const struct top *top, struct json *json, size_t rows)
{
    json_object(json, NULL);
    json_number(json, "pid", (uint64_t)top->pid);
    json_string(json, "command", source_command(top->source));
    json_number(json, "threads_running", top->now.process.threads);
    json_number(json, "live_bytes", top->now.live);
    json_number(json, "live_chunks", top->now.live_chunks);
    json_number(json, "resident_bytes", top->now.process.resident);
    json_number(json, "swapped_bytes", top->now.process.swapped);
    json_number(json, "cached_bytes", top->stats.cached);
    json_real(json, "live_bytes_per_second", rate(top, top->now.live, top->before.live));
    json_real(json, "allocations_per_second",
              rate(top, top->now.allocations, top->before.allocations));
    json_real(json, "allocated_bytes_per_second",
              rate(top, top->now.allocated_bytes, top->before.allocated_bytes));
    json_bool(json, "profile", top->has_sites);
    json_real(json, "truncated_percent", top->truncated_percent);
    json_zones(top, json);
    for (unsigned i = 0; i < TOP_PANELS; i++)
        panel_json(&top->panels[i], json, rows);
    json_close(json);
}
