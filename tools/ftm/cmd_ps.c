/*
 * ftm ps: which processes run on the library.
 */
#include "command.h"
#include "layout_find.h"
#include "options.h"
#include "out.h"
#include "source.h"
#include "view.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char help_ps[] =
    "usage: ftm ps [--json]\n"
    "\n"
    "Lists the processes that run on libft_malloc, preloaded or linked, and that this user may\n"
    "read: resident memory, live bytes and chunks, address space of the heaps, arenas, and the\n"
    "version of the library.\n"
    "\n"
    "  --json   as JSON\n"
    "\n"
    "Exit status: 0; 1 if there is none; 2 after an error.\n";

struct process {
    pid_t pid;
    uint64_t resident;
    uint64_t live, chunks, mapped;
    uint64_t arenas;
    char library[16];
    char *command;
};

struct processes {
    struct process *items;
    size_t count;
    size_t refused;
};

/* Resident bytes, or 0. */
static uint64_t resident_of(pid_t pid)
{
    unsigned long long size, resident = 0;
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (file != NULL && fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    if (file != NULL)
        (void)fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool take_figures(struct view *view, struct process *process)
{
    struct view_stats stats;

    if (!view_stats(view, &stats))
        return false;
    for (unsigned zone = 0; zone < ZONES; zone++) {
        process->live += stats.zone[zone].requested;
        process->chunks += stats.zone[zone].chunks;
        process->mapped += stats.zone[zone].mapped;
    }
    process->arenas = stats.arenas;
    memcpy(process->library, view_layout(view)->library, sizeof process->library - 1);
    return true;
}

static bool add_process(struct processes *list, const struct process *process)
{
    struct process *larger = reallocarray(list->items, list->count + 1, sizeof *larger);

    if (larger == NULL) {
        say_error(ENOMEM, "cannot list the processes");
        return false;
    }
    list->items = larger;
    list->items[list->count++] = *process;
    return true;
}

/* Looks at one process. Returns false if there is no memory. */
static bool look_at(struct processes *list, pid_t pid)
{
    struct process process = {.pid = pid, .resident = resident_of(pid)};
    int error;
    struct source *source = source_open_quietly(pid, &error);
    struct view *view = NULL;
    bool fine = true;

    if (source == NULL)
        list->refused += error == EPERM || error == EACCES;
    else if (layout_find(source, true) != 0)
        view = view_open(source);
    if (view != NULL && take_figures(view, &process)) {
        process.command = strdup(source_command(source));
        fine = add_process(list, &process);
        if (!fine)
            free(process.command);
    }
    view_close(view);
    source_close(source);
    return fine;
}

static int compare(const void *left, const void *right)
{
    const struct process *a = left, *b = right;

    return (a->pid > b->pid) - (a->pid < b->pid);
}

static bool look_at_all(struct processes *list)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    bool fine = directory != NULL;

    if (!fine)
        say_error(errno, "cannot read /proc");
    while (fine && (entry = readdir(directory)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && pid != getpid())
            fine = look_at(list, pid);
    }
    if (directory != NULL)
        (void)closedir(directory);
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, compare);
    return fine;
}

static void print_text(const struct processes *list, struct out *out)
{
    char resident[SIZE_TEXT], live[SIZE_TEXT], mapped[SIZE_TEXT];

    out_text(out, "    PID   RESIDENT       LIVE     CHUNKS      HEAPS ARENAS LIBRARY COMMAND\n");
    for (size_t i = 0; i < list->count; i++) {
        const struct process *process = &list->items[i];

        out_format(out, "%7d %10s %10s %10" PRIu64 " %10s %6" PRIu64 " %-7s ", (int)process->pid,
                   size_text(process->resident, resident), size_text(process->live, live),
                   process->chunks, size_text(process->mapped, mapped), process->arenas,
                   process->library);
        out_name(out, process->command == NULL ? "" : process->command);
        out_text(out, "\n");
    }
}

static void print_json(const struct processes *list, struct out *out)
{
    struct json json;

    json_begin(&json, out);
    json_array(&json, NULL);
    for (size_t i = 0; i < list->count; i++) {
        const struct process *process = &list->items[i];

        json_object(&json, NULL);
        json_number(&json, "pid", (uint64_t)process->pid);
        json_number(&json, "resident", process->resident);
        json_number(&json, "live", process->live);
        json_number(&json, "chunks", process->chunks);
        json_number(&json, "heaps", process->mapped);
        json_number(&json, "arenas", process->arenas);
        json_string(&json, "library", process->library);
        json_string(&json, "command", process->command);
        json_close(&json);
    }
    json_close(&json);
}

int cmd_ps(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    struct processes list = {.count = 0};
    struct out *out = out_begin();
    bool as_json = false, fine;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 'j')
            return wrong_usage("ps");
        as_json = true;
    }
    if (optind < argc) {
        say("ps: takes no arguments");
        return wrong_usage("ps");
    }
    fine = look_at_all(&list);
    if (as_json)
        print_json(&list, out);
    else
        print_text(&list, out);
    fine = out_end(out) && fine;
    if (list.refused > 0)
        say("%zu process%s could not be read; as root, ftm sees all", list.refused,
            list.refused == 1 ? "" : "es");
    for (size_t i = 0; i < list.count; i++)
        free(list.items[i].command);
    free(list.items);
    return !fine ? EXIT_TROUBLE : list.count == 0 ? EXIT_FOUND_NOTHING : EXIT_FINE;
}
