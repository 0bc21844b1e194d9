/*
 * /tmp/perf-PID.map: a line for each piece of code that a just-in-time compiler made, with its
 * address and size in hexadecimal digits and its name. A process in a container writes it to its
 * own /tmp under its own number, so that place comes first. A map is read only if it belongs to the
 * process's user, or to root: anybody may create a file of that name.
 */
#include "memory.h"
#include "search.h"
#include "symbols_own.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longer maps are cut off. */
enum { PERF_MAP_BYTES_MAX = 512 << 20 };

struct perf_line {
    uint64_t start, end;
    const char *name;
    size_t order; /* of two that overlap, the later one is right */
};

struct perf_symbols {
    struct perf_line *lines;
    size_t count, room;
};

/* The process's number in the innermost namespace that it is in. */
static int inner_pid(int pid)
{
    char path[64], line[512];
    int inner = pid;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return pid;
    while (fgets(line, sizeof(line), file) != NULL) {
        char *last = strrchr(line, '\t');

        if (strncmp(line, "NSpid:", 6) == 0 && last != NULL)
            inner = (int)strtol(last, NULL, 10);
    }
    fclose(file);
    return inner > 0 ? inner : pid;
}

static bool is_trusted(int fd, int pid)
{
    char path[64];
    struct stat file, process;

    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))
        return false;
    if (file.st_uid == 0 || file.st_uid == geteuid())
        return true;
    snprintf(path, sizeof(path), "/proc/%d", pid);
    return stat(path, &process) == 0 && process.st_uid == file.st_uid;
}

static FILE *map_file(int pid)
{
    char paths[3][96];
    int inner = inner_pid(pid);

    snprintf(paths[0], sizeof(paths[0]), "/proc/%d/root/tmp/perf-%d.map", pid, inner);
    snprintf(paths[1], sizeof(paths[1]), "/proc/%d/root/tmp/perf-%d.map", pid, pid);
    snprintf(paths[2], sizeof(paths[2]), "/tmp/perf-%d.map", pid);
    for (int i = 0; i < 3; i++) {
        int fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        if (fd < 0)
            continue;
        if (is_trusted(fd, pid))
            return fdopen(fd, "r");
        close(fd);
    }
    return NULL;
}

static void add_line(struct perf_symbols *perf, const char *line, struct names *names)
{
    struct perf_line new = {.order = perf->count};
    char *end;

    new.start = strtoull(line, &end, 16);
    if (end == line || *end != ' ')
        return;
    line = end + 1;
    new.end = new.start + strtoull(line, &end, 16);
    if (end == line || *end != ' ' || new.end <= new.start)
        return;
    line = end + 1;
    new.name = names_keep(names, line, strcspn(line, "\n"));
    perf->lines = memory_grow(perf->lines, &perf->room, perf->count, sizeof(*perf->lines));
    perf->lines[perf->count++] = new;
}

static int compare_lines(const void *one, const void *other)
{
    const struct perf_line *a = one, *b = other;

    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

struct perf_symbols *perf_symbols_open(int pid, struct names *names)
{
    FILE *file = pid > 0 ? map_file(pid) : NULL;
    struct perf_symbols *perf;
    char *line = NULL;
    size_t size = 0, total = 0;
    ssize_t length;

    if (file == NULL)
        return NULL;
    perf = memory_new(1, sizeof(*perf));
    while ((length = getline(&line, &size, file)) > 0 &&
           (total += (size_t)length) < PERF_MAP_BYTES_MAX)
        add_line(perf, line, names);
    free(line);
    fclose(file);
    if (perf->count > 0)
        qsort(perf->lines, perf->count, sizeof(*perf->lines), compare_lines);
    return perf;
}

void perf_symbols_close(struct perf_symbols *perf)
{
    if (perf == NULL)
        return;
    free(perf->lines);
    free(perf);
}

/* Code that was moved or freed stays in the map, so ranges overlap: look back a little. */
const char *perf_symbols_at(const struct perf_symbols *perf, uint64_t pc)
{
    size_t low = perf == NULL ? 0 : SEARCH_ABOVE(perf->lines, perf->count, start, pc);
    const struct perf_line *best = NULL;

    for (size_t i = low; i > 0 && low - i < 64; i--) {
        const struct perf_line *line = &perf->lines[i - 1];

        if (pc < line->end && (best == NULL || line->order > best->order))
            best = line;
    }
    return best == NULL ? NULL : best->name;
}
