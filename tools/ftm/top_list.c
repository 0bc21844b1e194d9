/*
 * The list of processes of `ftm top`. Each is opened anew at each look, because it may have become
 * another program meanwhile.
 */
#include "layout_find.h"
#include "source.h"
#include "top.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static const struct column list_columns[] = {
    {"PID", "pid", COLUMN_PLAIN, 10},
    {"LIVE", "live_bytes", COLUMN_SIZE, 11},
    {"RESIDENT", "resident_bytes", COLUMN_SIZE, 11},
    {"CHUNKS", "chunks", COLUMN_NUMBER, 14},
    {"CHANGE", "change_per_second", COLUMN_SIZE_CHANGE, 15},
    {"CPU", "cpu_percent", COLUMN_PERCENT, 9},
    {"CPU TIME", "cpu_ms", COLUMN_NUMBER, 13},
    {"COMMAND", "command", COLUMN_NAME, 0},
};
enum { LIST_PID, LIST_LIVE, LIST_RESIDENT, LIST_CHUNKS, LIST_CHANGE, LIST_CPU, LIST_TIME };

void top_list_begin(struct top_list *list)
{
    *list = (struct top_list){0};
    list->panel = (struct panel){.title = "PROCESSES",
                                 .key = "processes",
                                 .empty = "no process that can be read runs on the library",
                                 .columns = list_columns,
                                 .column_count = sizeof(list_columns) / sizeof(*list_columns),
                                 .sort = LIST_LIVE};
}

void top_list_end(struct top_list *list)
{
    panel_clear(&list->panel);
    panel_clear(&list->before);
}

static void add_rates(const struct top_list *list, struct row *row, double seconds)
{
    const struct row *before = panel_find(&list->before, row);

    if (before == NULL || seconds <= 0)
        return;
    row->numbers[LIST_CHANGE] = (row->numbers[LIST_LIVE] - before->numbers[LIST_LIVE]) / seconds;
    row->numbers[LIST_CPU] = (row->numbers[LIST_TIME] - before->numbers[LIST_TIME]) / seconds / 10;
}

static void add_figures(struct top_list *list, struct source *source, struct view *view,
                        const struct process_stat *stat, double seconds)
{
    struct view_stats sums;
    struct row *row;

    if (!view_stats(view, &sums))
        return;
    row = panel_add(&list->panel, source_command(source));
    row->numbers[LIST_PID] = source_pid(source);
    row->numbers[LIST_RESIDENT] = (double)stat->resident;
    row->numbers[LIST_TIME] = (double)stat->cpu_ns / 1e6;
    for (int zone = 0; zone < ZONES; zone++) {
        row->numbers[LIST_LIVE] += (double)sums.zone[zone].requested;
        row->numbers[LIST_CHUNKS] += (double)sums.zone[zone].chunks;
    }
    add_rates(list, row, seconds);
}

/* Adds the process if it runs on the library and we may read it. */
static void add_process(struct top_list *list, int pid, double seconds)
{
    struct process_stat stat;
    struct source *source;
    struct view *view = NULL;
    int error;

    source = process_stat_read(pid, &stat) ? source_open_quietly(pid, &error) : NULL;
    if (source == NULL)
        return;
    if (layout_find(source, true) != 0)
        view = view_open(source);
    if (view != NULL)
        add_figures(list, source, view, &stat, seconds);
    view_close(view);
    source_close(source);
}

void top_list_look(struct top_list *list)
{
    uint64_t now = top_clock();
    double seconds = list->time_ns == 0 ? 0 : (double)(now - list->time_ns) / 1e9;
    DIR *folder = opendir("/proc");
    const struct dirent *entry;

    panel_copy(&list->before, &list->panel);
    panel_clear(&list->panel);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        int pid = (int)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && pid != (int)getpid())
            add_process(list, pid, seconds);
    }
    if (folder != NULL)
        closedir(folder);
    panel_sort(&list->panel);
    list->time_ns = now;
}
