/*
 * What all kinds of sources have in common.
 */
#include "source_private.h"

#include "command.h"
#include "debug/snapshot.h"
#include "pack.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Returns the number that the name is, or 0. */
static pid_t number_of(const char *name)
{
    char *end;
    unsigned long number;

    if (*name < '0' || *name > '9')
        return 0;
    number = strtoul(name, &end, 10);
    return *end == '\0' && number > 0 && number < INT32_MAX ? (pid_t)number : 0;
}

/* Returns false after a line. What is behind the end of a short file is 0. */
static bool read_magic(int fd, const char *path, unsigned char magic[SNAPSHOT_MAGIC_SIZE])
{
    memset(magic, 0, SNAPSHOT_MAGIC_SIZE);
    if (pread(fd, magic, SNAPSHOT_MAGIC_SIZE, 0) >= 0)
        return true;
    say_error(errno, "cannot read %s", path);
    return false;
}

/* A file says by its first bytes what it is. */
static struct source *open_plain(int fd, const char *path)
{
    unsigned char magic[SNAPSHOT_MAGIC_SIZE];

    if (!read_magic(fd, path, magic))
        return NULL;
    if (memcmp(magic, SNAPSHOT_MAGIC, SNAPSHOT_MAGIC_SIZE) == 0)
        return source_open_snapshot(fd, path);
    if (memcmp(magic, ELFMAG, SELFMAG) == 0)
        return source_open_core(fd, path);
    say("%s is neither a core file nor a snapshot", path);
    return NULL;
}

/* A file that is compressed twice is refused: one could be made that never ends. */
static struct source *open_kind(int fd, const char *path)
{
    unsigned char magic[SNAPSHOT_MAGIC_SIZE];
    struct source *source;
    int whole;

    if (!read_magic(fd, path, magic))
        return NULL;
    if (!pack_is_packed(magic))
        return open_plain(fd, path);
    whole = pack_unpack(fd, path);
    source = whole < 0 ? NULL : open_plain(whole, path);
    if (source != NULL)
        (void)close(fd);
    else if (whole >= 0)
        (void)close(whole);
    return source;
}

static struct source *open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct source *source = NULL;
    struct stat status;

    if (fd < 0) {
        say_error(errno, "cannot open %s", path);
        return NULL;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        say("%s is not a regular file", path);
    else
        source = open_kind(fd, path);
    if (source == NULL)
        (void)close(fd);
    return source;
}

static struct source *name_it(struct source *source, const char *name)
{
    if (source == NULL)
        return NULL;
    source->name = strdup(name);
    if (source->name != NULL)
        return source;
    source_close(source);
    return NULL;
}

struct source *source_open_quietly(pid_t pid, int *error)
{
    char name[16];

    (void)snprintf(name, sizeof name, "%d", (int)pid);
    return name_it(source_open_live(pid, error), name);
}

struct source *source_open(const char *name)
{
    pid_t pid = number_of(name);
    struct source *source;
    int error;

    if (pid == 0)
        return name_it(open_file(name), name);
    source = source_open_quietly(pid, &error);
    if (source == NULL)
        source_say_refused(pid, error);
    return source;
}

void source_close(struct source *source)
{
    if (source == NULL)
        return;
    source->functions->close(source);
    for (size_t i = 0; i < source->map_count; i++)
        free((char *)source->maps[i].path);
    free(source->maps);
    free(source->name);
    free(source->command);
    free(source);
}

enum source_kind source_kind(const struct source *source)
{
    return source->functions->kind;
}

pid_t source_pid(const struct source *source)
{
    return source->pid;
}

uint64_t source_clock(const struct source *source)
{
    struct timespec now;

    if (source_kind(source) != SOURCE_LIVE)
        return source->clock;
    /* The clock that the library reads: base/clock.c. */
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t source_layout(const struct source *source)
{
    return source->layout;
}

const char *source_name(const struct source *source)
{
    return source->name;
}

const char *source_command(struct source *source)
{
    return source->command != NULL ? source->command : "";
}

size_t source_read_some(struct source *source, uint64_t address, void *out, size_t size)
{
    if (size > UINT64_MAX - address)
        size = (size_t)(UINT64_MAX - address);
    return size == 0 ? 0 : source->functions->read_some(source, address, out, size);
}

bool source_read(struct source *source, uint64_t address, void *out, size_t size)
{
    return source_read_some(source, address, out, size) == size;
}

void source_add_map(struct source *source, const struct source_map *map)
{
    size_t count = source->map_count;

    if (map->start >= map->end)
        return;
    if ((count & (count - 1)) == 0) {
        struct source_map *larger =
            reallocarray(source->maps, count == 0 ? 1 : 2 * count, sizeof *larger);

        if (larger == NULL)
            return;
        source->maps = larger;
    }
    source->maps[count] = *map;
    source->maps[count].path = strdup(map->path);
    if (source->maps[count].path != NULL)
        source->map_count++;
}

static void parse_line(struct source *source, char *line)
{
    struct source_map map = {.path = ""};
    char flags[5] = "";
    int used = 0;

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &map.start, &map.end,
               flags, &map.offset, &used) < 4)
        return;
    map.flags = (flags[0] == 'r' ? MAP_READ : 0U) | (flags[1] == 'w' ? MAP_WRITE : 0U) |
                (flags[2] == 'x' ? MAP_EXECUTE : 0U) |
                (flags[3] == 's' ? MAP_SHARED_WITH_OTHERS : 0U);
    if (used > 0)
        map.path = line + used;
    source_add_map(source, &map);
}

void source_parse_maps(struct source *source, const char *text, size_t size)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - text);
        char *line = strndup(text, length);

        if (line != NULL)
            parse_line(source, line);
        free(line);
        length += end != NULL;
        text += length;
        size -= length;
    }
}

static int compare_maps(const void *left, const void *right)
{
    const struct source_map *a = left, *b = right;

    return (a->start > b->start) - (a->start < b->start);
}

/* Sorts the mappings, and drops those that begin inside another one, as in broken files alone. */
static void order_maps(struct source *source)
{
    size_t kept = 0;

    if (source->map_count > 0)
        qsort(source->maps, source->map_count, sizeof *source->maps, compare_maps);
    for (size_t i = 0; i < source->map_count; i++)
        if (kept > 0 && source->maps[i].start < source->maps[kept - 1].end)
            free((char *)source->maps[i].path);
        else
            source->maps[kept++] = source->maps[i];
    source->map_count = kept;
}

const struct source_map *source_maps(struct source *source, size_t *count)
{
    if (!source->maps_loaded) {
        source->maps_loaded = true;
        source->functions->load_maps(source);
        order_maps(source);
    }
    *count = source->map_count;
    return source->maps;
}

const struct source_map *source_map_at(struct source *source, uint64_t address)
{
    size_t count, low = 0;
    const struct source_map *maps = source_maps(source, &count);

    while (low < count) {
        size_t middle = low + (count - low) / 2;

        if (address < maps[middle].start)
            count = middle;
        else if (address < maps[middle].end)
            return &maps[middle];
        else
            low = middle + 1;
    }
    return NULL;
}

int source_each_thread(struct source *source,
                       int (*visit)(void *context, const struct source_thread *thread),
                       void *context)
{
    return source->functions->each_thread(source, visit, context);
}

bool source_section(struct source *source, unsigned type, size_t *place, const void **payload,
                    size_t *size)
{
    return source->functions->section != NULL &&
           source->functions->section(source, type, place, payload, size);
}

char *source_command_of(const char *text, size_t size)
{
    char *command;

    while (size > 0 && text[size - 1] == '\0')
        size--;
    command = malloc(size + 1);
    if (command == NULL)
        return NULL;
    memcpy(command, text, size);
    command[size] = '\0';
    for (size_t i = 0; i < size; i++)
        if (command[i] == '\0')
            command[i] = ' ';
    return command;
}

char *source_slurp(const char *path, size_t *size)
{
    size_t room = 16 << 10;
    int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
    char *text = fd < 0 ? NULL : malloc(room);
    ssize_t got = 0;

    if (fd < 0)
        return NULL;
    *size = 0;
    while (text != NULL && (got = read(fd, text + *size, room - *size - 1)) > 0) {
        *size += (size_t)got;
        if (*size + 1 == room) {
            char *larger = realloc(text, room *= 2);

            if (larger == NULL)
                free(text);
            text = larger;
        }
    }
    error = got < 0 ? errno : ENOMEM;
    (void)close(fd);
    if (text != NULL && got == 0) {
        text[*size] = '\0';
        return text;
    }
    free(text);
    errno = error;
    return NULL;
}
