/*
 * Mappings as /proc/self/maps has them, and threads as /proc/self/task does. The other threads go
 * on meanwhile.
 */
#include "dump_program.h"

#include "bounds.h"

#include "debug/snapshot.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

/* As many registers as NT_PRSTATUS has. */
#if defined(__x86_64__)
enum { REGISTERS = 27 };
#elif defined(__aarch64__)
enum { REGISTERS = 34 };
#endif

struct mapping {
    uint64_t start, end;
    char flags[5]; /* "rw-p" */
    char path[256];
};

/* Reads a line of maps, and returns where the next one begins, or NULL at the end. */
static const char *read_line(const char *line, struct mapping *mapping)
{
    char *at;
    const char *end = strchr(line, '\n');
    size_t length = 0;

    if (end == NULL)
        return NULL;
    mapping->start = strtoull(line, &at, 16);
    mapping->end = strtoull(at + 1, &at, 16);
    memcpy(mapping->flags, at + 1, 4);
    mapping->flags[4] = '\0';
    /* Three words more, and then the path. */
    at += 5;
    for (unsigned i = 0; i < 3 && at < end; i++) {
        at += strspn(at, " ");
        at += strcspn(at, " \n");
    }
    at += strspn(at, " ");
    while (at + length < end && length + 1 < sizeof mapping->path)
        length++;
    memcpy(mapping->path, at, length);
    mapping->path[length] = '\0';
    return end + 1;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/*
 * Does what has_contents() of tools/ftm/snapshot_ranges.c does: finds what can be written to, what
 * is anonymous, and what the dynamic linker made read-only, which is in front of a file's
 * variables.
 */
static bool has_contents(const struct mapping *mapping, const struct mapping *next)
{
    bool writable = mapping->flags[1] == 'w';

    if (mapping->flags[0] != 'r')
        return false;
    if (mapping->path[0] == '[')
        return writable;
    if (begins(mapping->path, "/dev/"))
        return writable &&
               (begins(mapping->path, "/dev/zero") || begins(mapping->path, "/dev/shm/"));
    return writable || mapping->path[0] == '\0' ||
           (next->start == mapping->end && next->flags[1] == 'w' &&
            strcmp(next->path, mapping->path) == 0);
}

/* Adds the parts of the mapping that are in no heap. */
static void put_mapping(const struct mapping *mapping, dump_section_function *section,
                        void *context)
{
    static const uint64_t granule = (uint64_t)1 << HEAP_SHIFT;
    uint64_t from = mapping->start, at = mapping->start;

    while (at < mapping->end) {
        uint64_t base = at & -granule;
        uint32_t entry = heap_map_entry_in(bounds_tables.map, (uintptr_t)at);
        uint64_t heap_end = base + (uint64_t)(entry >> MAP_UNITS_SHIFT) * UNIT_SIZE;
        uint64_t next = base + granule < mapping->end ? base + granule : mapping->end;

        if (at < heap_end) {
            if (from < at)
                section(context, SNAPSHOT_MEMORY, from, NULL, at - from);
            from = heap_end < mapping->end ? heap_end : mapping->end;
        }
        at = next;
    }
    if (from < mapping->end)
        section(context, SNAPSHOT_MEMORY, from, NULL, mapping->end - from);
}

static void put_mappings(const char *maps, dump_section_function *section, void *context)
{
    struct mapping mappings[2] = {{.start = 0}, {.start = 0}};
    unsigned now = 0;

    maps = read_line(maps, &mappings[now]);
    while (maps != NULL) {
        struct mapping *next = &mappings[1 - now];

        *next = (struct mapping){.start = 0};
        maps = read_line(maps, next);
        if (has_contents(&mappings[now], next))
            put_mapping(&mappings[now], section, context);
        now = 1 - now;
    }
}

/* Reads a short file of a thread. Returns false if there is none. */
static bool read_file(int task, const char *thread, const char *name, char *text, size_t size)
{
    int folder = openat(task, thread, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file = folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, text, size - 1);

    if (folder >= 0)
        (void)close(folder);
    if (file >= 0)
        (void)close(file);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* The last two numbers are the stack pointer and the program counter, unless the thread runs. */
static void read_place(const char *text, struct snapshot_thread *thread)
{
    while (*text != '\0' && !begins(text, "running")) {
        char *end;
        uint64_t number = strtoull(text, &end, 0);

        if (end == text)
            return;
        thread->sp = thread->pc;
        thread->pc = number;
        text = end + strspn(end, " \n");
    }
}

/* Where the thread that writes called the libraries, and what its registers held. */
struct caller {
    uint64_t sp;
    uint64_t registers[REGISTERS]; /* in the order of NT_PRSTATUS */
    const struct link_map *own, *first;
};

/* Stores the registers that a function keeps for its caller, and the stack pointer. */
static void take_registers(struct _Unwind_Context *context, struct caller *caller)
{
#if defined(__x86_64__)
    /* The numbers of rbx, rbp and r12 to r15 in unwind tables, and their places. */
    static const struct {
        int number;
        unsigned place;
    } kept[] = {{3, 5}, {6, 4}, {12, 3}, {13, 2}, {14, 1}, {15, 0}};

    for (unsigned i = 0; i < sizeof kept / sizeof kept[0]; i++)
        caller->registers[kept[i].place] = _Unwind_GetGR(context, kept[i].number);
#elif defined(__aarch64__)
    for (int number = 19; number <= 29; number++)
        caller->registers[number] = _Unwind_GetGR(context, number);
#endif
    caller->sp = _Unwind_GetCFA(context);
}

/* Ends the walk at the first frame that is in neither library. */
static _Unwind_Reason_Code look_for_caller(struct _Unwind_Context *context, void *argument)
{
    struct caller *caller = argument;
    struct dl_find_object object;
    void *pc = pointer_to(_Unwind_GetIP(context));

    if (pc == NULL || _dl_find_object(pc, &object) != 0 || object.dlfo_link_map == caller->own ||
        object.dlfo_link_map == caller->first)
        return _URC_NO_REASON;
    take_registers(context, caller);
    return _URC_NORMAL_STOP;
}

/*
 * The frames of the libraries hold addresses of chunks that they have just written, so they must
 * not be roots; but they keep registers of the program.
 */
static void find_caller(struct caller *caller)
{
    struct dl_find_object object;

    *caller = (struct caller){.sp = 0};
    if (_dl_find_object((void *)find_caller, &object) == 0)
        caller->own = object.dlfo_link_map;
    if (_dl_find_object((void *)bounds_tables.map, &object) == 0)
        caller->first = object.dlfo_link_map;
    (void)_Unwind_Backtrace(look_for_caller, caller);
    if (caller->sp == 0)
        caller->sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
}

static void read_thread(int task, const char *name, struct snapshot_thread *thread)
{
    char text[256];

    *thread = (struct snapshot_thread){.tid = (uint32_t)strtoul(name, NULL, 10)};
    if (read_file(task, name, "comm", text, sizeof text)) {
        text[strcspn(text, "\n")] = '\0';
        memcpy(thread->name, text, strnlen(text, sizeof thread->name - 1));
    }
    if (read_file(task, name, "syscall", text, sizeof text))
        read_place(text, thread);
}

/* The records of all other threads, and room for this one's with its registers. */
static size_t list_threads(int task, struct snapshot_thread *threads, size_t most)
{
    _Alignas(struct dirent64) char entries[4096];
    size_t count = 0;
    ssize_t got;

    while ((got = getdents64(task, entries, sizeof entries)) > 0)
        for (ssize_t at = 0; at < got && count < most;) {
            const struct dirent64 *entry = (const void *)(entries + at);

            at += entry->d_reclen;
            if (entry->d_name[0] == '.')
                continue;
            read_thread(task, entry->d_name, &threads[count]);
            count += threads[count].tid != (uint32_t)gettid();
        }
    return count;
}

/* Threads that do not fit in what is mapped for them are left out, and then they are unknown. */
static void put_threads(dump_section_function *section, void *context)
{
    enum { ROOM = 1 << 20, MOST = (ROOM - sizeof(struct caller)) / sizeof(struct snapshot_thread) };
    int task = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct snapshot_thread *threads =
        mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct caller caller;
    size_t count;

    find_caller(&caller);
    if (task >= 0 && threads != MAP_FAILED) {
        count = list_threads(task, threads, MOST - 1);
        threads[count++] = (struct snapshot_thread){
            .tid = (uint32_t)gettid(), .registers = REGISTERS, .sp = caller.sp};
        memcpy(&threads[count], caller.registers, sizeof caller.registers);
        section(context, SNAPSHOT_THREADS, 0, threads,
                count * sizeof *threads + sizeof caller.registers);
    }
    if (task >= 0)
        (void)close(task);
    if (threads != MAP_FAILED)
        (void)munmap(threads, ROOM);
}

void dump_program(const char *maps, dump_section_function *section, void *context)
{
    int saved_errno = errno;

    put_mappings(maps, section, context);
    put_threads(section, context);
    errno = saved_errno;
}
