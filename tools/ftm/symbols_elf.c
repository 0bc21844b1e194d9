/*
 * Mapped files: which module an address is in, and what libdwfl knows about it. A module's file is
 * opened when the first address in it is looked up.
 */
#include "debug/snapshot.h"
#include "memory.h"
#include "search.h"
#include "source.h"
#include "symbols_dwarf.h"
#include "symbols_own.h"
#include "symbols_table.h"

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct elf_module {
    struct elf_facts facts;
    uint64_t first_start, first_end, first_offset; /* of the mapping with the lowest address */
    uint64_t bias;                                 /* what is added to the file's addresses */
    bool opened;
    Dwfl_Module *dwfl;
};

struct elf_symbols {
    struct source *source;
    struct names *names;
    struct symbols_module *modules;
    struct elf_module *own; /* of the module with the same index */
    size_t count, room, own_room;
    Dwfl *dwfl;
    Dwfl_Callbacks callbacks;
    char *debuginfo_path;
};

/* The length of a path without what the kernel says of files that are gone. */
static size_t path_length(const char *path)
{
    static const char gone[] = " (deleted)";
    size_t length = strlen(path), end = sizeof(gone) - 1;

    return length > end && strcmp(path + length - end, gone) == 0 ? length - end : length;
}

static void add_module(struct elf_symbols *elf, const struct source_map *map)
{
    elf->modules = memory_grow(elf->modules, &elf->room, elf->count, sizeof(*elf->modules));
    elf->own = memory_grow(elf->own, &elf->own_room, elf->count, sizeof(*elf->own));
    elf->modules[elf->count] = (struct symbols_module){
        .path = names_keep(elf->names, map->path, path_length(map->path)),
        .start = map->start,
        .end = map->end,
        .start_offset = map->offset,
    };
    elf->own[elf->count++] = (struct elf_module){
        .first_start = map->start, .first_end = map->end, .first_offset = map->offset};
}

static bool is_of_module(const struct symbols_module *module, const struct source_map *map)
{
    size_t length = path_length(map->path);

    return strlen(module->path) == length && strncmp(module->path, map->path, length) == 0;
}

/* Consecutive mappings of a file are one module; it counts if one of them is executable. */
static void find_modules(struct elf_symbols *elf)
{
    size_t count;
    const struct source_map *maps = source_maps(elf->source, &count);
    bool executable = true;

    for (size_t i = 0; i < count; i++) {
        const struct source_map *map = &maps[i];
        struct symbols_module *last = elf->count > 0 ? &elf->modules[elf->count - 1] : NULL;

        if (map->path[0] != '/')
            continue;
        if (last == NULL || !is_of_module(last, map)) {
            elf->count -= executable ? 0 : 1;
            add_module(elf, map);
            last = &elf->modules[elf->count - 1];
            executable = false;
        }
        executable |= (map->flags & MAP_EXECUTE) != 0;
        last->end = map->end;
    }
    elf->count -= executable ? 0 : 1;
}

static void find_facts(struct elf_symbols *elf, size_t index)
{
    struct elf_module *own = &elf->own[index];
    struct symbols_module *module = &elf->modules[index];

    if (own->first_offset == 0)
        elf_facts_in_memory(elf->source, own->first_start, &own->facts);
    if (own->facts.build_id[0] != '\0')
        module->build_id = names_keep(elf->names, own->facts.build_id, strlen(own->facts.build_id));
    if (own->facts.known && !own->facts.fixed)
        own->bias = own->first_start - own->facts.lowest;
}

/* Takes the build-id from a snapshot's MODULES section; if a module is new, adds it. */
static void add_recorded(void *context, const struct module_line *line)
{
    struct elf_symbols *elf = context;
    size_t length = strlen(line->build_id);
    bool is_id = length > 0 && length < sizeof(elf->own->facts.build_id) &&
                 strspn(line->build_id, "0123456789abcdef") == length;
    size_t i = 0;

    while (i < elf->count && elf->modules[i].start != line->start)
        i++;
    if (i == elf->count && i > 0 && line->start < elf->modules[i - 1].end)
        return;
    if (i == elf->count)
        add_module(
            elf, &(struct source_map){.start = line->start, .end = line->end, .path = line->path});
    if (is_id && elf->own[i].facts.build_id[0] == '\0') {
        memcpy(elf->own[i].facts.build_id, line->build_id, length + 1);
        elf->modules[i].build_id = names_keep(elf->names, line->build_id, length);
    }
}

static void find_recorded(struct elf_symbols *elf)
{
    const void *text;
    size_t size, place = 0;

    while (source_section(elf->source, SNAPSHOT_MODULES, &place, &text, &size))
        section_each_module(text, size, add_recorded, elf);
}

struct elf_symbols *elf_symbols_open(struct source *source, struct names *names)
{
    struct elf_symbols *elf = memory_new(1, sizeof(*elf));

    elf->source = source;
    elf->names = names;
    find_modules(elf);
    for (size_t i = 0; i < elf->count; i++)
        find_facts(elf, i);
    find_recorded(elf);
    elf->debuginfo_path = source_kind(source) == SOURCE_LIVE
                              ? memory_format(":.debug:/usr/lib/debug:/proc/%d/root/usr/lib/debug",
                                              (int)source_pid(source))
                              : memory_format(":.debug:/usr/lib/debug");
    elf->callbacks = (Dwfl_Callbacks){
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &elf->debuginfo_path,
    };
    elf->dwfl = dwfl_begin(&elf->callbacks);
    return elf;
}

void elf_symbols_close(struct elf_symbols *elf)
{
    if (elf == NULL)
        return;
    for (size_t i = 0; i < elf->count; i++)
        symbols_table_free(elf->own[i].dwfl);
    if (elf->dwfl != NULL)
        dwfl_end(elf->dwfl);
    free(elf->debuginfo_path);
    free(elf->modules);
    free(elf->own);
    free(elf);
}

const struct symbols_module *elf_symbols_modules(const struct elf_symbols *elf, size_t *count)
{
    *count = elf == NULL ? 0 : elf->count;
    return elf == NULL ? NULL : elf->modules;
}

/* Takes from the file what the source's memory did not tell. */
static void complete_facts(struct elf_module *own, Elf *file)
{
    size_t count = 0;
    GElf_Ehdr header;
    GElf_Phdr segment;

    if (own->facts.known || gelf_getehdr(file, &header) == NULL ||
        elf_getphdrnum(file, &count) != 0)
        return;
    own->facts.fixed = header.e_type == ET_EXEC;
    for (size_t i = 0; i < count; i++) {
        if (gelf_getphdr(file, (int)i, &segment) == NULL || segment.p_type != PT_LOAD ||
            own->first_offset < (segment.p_offset & ~(uint64_t)4095) ||
            own->first_offset >= segment.p_offset + segment.p_filesz)
            continue;
        own->facts.known = true;
        if (!own->facts.fixed)
            own->bias = own->first_start - (segment.p_vaddr - segment.p_offset + own->first_offset);
        return;
    }
}

/* Whether this may be the file that was mapped: its build-id does not say otherwise. */
static bool is_same_file(struct elf_module *own, int fd)
{
    Elf *file = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    const void *id = NULL;
    char digits[sizeof(own->facts.build_id)] = "";
    ssize_t length;
    bool same = file != NULL && elf_kind(file) == ELF_K_ELF;

    if (same) {
        length = dwelf_elf_gnu_build_id(file, &id);
        for (ssize_t i = 0; i < length && (size_t)i < sizeof(digits) / 2 - 1; i++)
            snprintf(digits + 2 * i, 3, "%02x", ((const unsigned char *)id)[i]);
        same = own->facts.build_id[0] == '\0' || strcmp(own->facts.build_id, digits) == 0;
        if (same)
            complete_facts(own, file);
    }
    if (file != NULL)
        elf_end(file);
    return same;
}

/* Opens the path, if it is a regular file. */
static int open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;

    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/*
 * The places where the module's file may be found, the surest first: what the process has mapped,
 * even if it is deleted by now; its own root folder; ours; debug information by build-id.
 */
static char *candidate(const struct elf_symbols *elf, size_t index, int attempt)
{
    const struct symbols_module *module = &elf->modules[index];
    bool live = source_kind(elf->source) == SOURCE_LIVE;
    const char *id = module->build_id;

    if (attempt == 0 && live)
        return memory_format("/proc/%d/map_files/%llx-%llx", (int)source_pid(elf->source),
                             (unsigned long long)elf->own[index].first_start,
                             (unsigned long long)elf->own[index].first_end);
    if (attempt == 1 && live)
        return memory_format("/proc/%d/root%s", (int)source_pid(elf->source), module->path);
    if (attempt == 2)
        return memory_format("%s", module->path);
    if (attempt == 3 && id != NULL && strlen(id) > 2)
        return memory_format("/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
    return NULL;
}

static void open_module(struct elf_symbols *elf, size_t index)
{
    struct elf_module *own = &elf->own[index];

    own->opened = true;
    for (int attempt = 0; attempt < 4 && own->dwfl == NULL && elf->dwfl != NULL; attempt++) {
        char *path = candidate(elf, index, attempt);
        int fd = path == NULL ? -1 : open_regular(path);

        if (fd >= 0 && is_same_file(own, fd)) {
            dwfl_report_begin_add(elf->dwfl);
            own->dwfl =
                dwfl_report_elf(elf->dwfl, elf->modules[index].path, path, fd, own->bias, true);
            dwfl_report_end(elf->dwfl, NULL, NULL);
        }
        /* The library closes the descriptor of a module that it took. */
        if (fd >= 0 && own->dwfl == NULL)
            close(fd);
        free(path);
    }
}

/* The index of the module that the address is in, or the count if it is in none. */
static size_t module_at(const struct elf_symbols *elf, uint64_t pc)
{
    size_t count = elf == NULL ? 0 : elf->count;
    size_t low = count == 0 ? 0 : SEARCH_ABOVE(elf->modules, count, end, pc);

    if (elf != NULL && low < elf->count && pc < elf->modules[low].start)
        low = elf->count;
    return low;
}

void elf_symbols_note(struct elf_symbols *elf, uint64_t pc)
{
    size_t index = module_at(elf, pc);

    if (elf != NULL && index < elf->count)
        elf->modules[index].has_symbols = true;
}

unsigned elf_symbols_at(struct elf_symbols *elf, uint64_t pc, struct frame *frames, unsigned max)
{
    size_t index = module_at(elf, pc);
    unsigned count;

    if (elf == NULL || index == elf->count || max == 0)
        return 0;
    if (!elf->own[index].opened)
        open_module(elf, index);
    count = dwarf_frames(elf->own[index].dwfl, pc, elf->names, frames, max);
    for (unsigned i = 0; i < count; i++) {
        frames[i].module = elf->modules[index].path;
        frames[i].address = pc;
        frames[i].offset = pc - elf->own[index].bias;
        elf->modules[index].has_symbols |= frames[i].function != NULL;
    }
    return count;
}
