/*
 * A core file. The kernel and gcore leave out the parts of mapped files that nobody has written to,
 * so those are read from the files, if they are still the same.
 */
#include "source_private.h"

#include "command.h"
#include "core_notes.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct segment {
    uint64_t start, end; /* in memory */
    uint64_t stored;     /* how many bytes of it the file has */
    uint64_t offset;
    unsigned flags;
};

struct core {
    struct source source;
    int fd;
    uint64_t size; /* of the file */
    unsigned machine;
    struct segment *segments; /* sorted, without overlaps */
    size_t segment_count;
    unsigned char **note_bytes; /* what `notes` points into */
    size_t note_count;
    struct core_notes notes;
    /* The mapped file that was used last, or -1. */
    int file;
    const char *file_path;
};

static size_t read_file(int fd, uint64_t offset, void *out, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(fd, (char *)out + done, size - done, (off_t)(offset + done));

        if (got <= 0 && !(got < 0 && errno == EINTR))
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    return done;
}

static const struct segment *segment_at(const struct core *core, uint64_t address)
{
    size_t low = 0, count = core->segment_count;

    while (low < count) {
        size_t middle = low + (count - low) / 2;

        if (address < core->segments[middle].start)
            count = middle;
        else if (address < core->segments[middle].end)
            return &core->segments[middle];
        else
            low = middle + 1;
    }
    return NULL;
}

static const struct core_file *file_at(const struct core *core, uint64_t address)
{
    const struct core_notes *notes = &core->notes;

    for (size_t i = 0; i < notes->file_count && notes->files[i].start <= address; i++)
        if (address < notes->files[i].end)
            return &notes->files[i];
    return NULL;
}

/* Whether the file begins with the bytes that the core has of its beginning, if it has any. */
static bool is_same_file(const struct core *core, int fd, const char *path)
{
    enum { COMPARED = 64 };
    unsigned char ours[COMPARED], theirs[COMPARED];

    for (size_t i = 0; i < core->notes.file_count; i++) {
        const struct core_file *file = &core->notes.files[i];
        const struct segment *segment = segment_at(core, file->start);

        if (file->offset != 0 || strcmp(file->path, path) != 0 || segment == NULL ||
            segment->start + segment->stored < file->start + COMPARED)
            continue;
        return read_file(core->fd, segment->offset + (file->start - segment->start), ours,
                         COMPARED) == COMPARED &&
               read_file(fd, 0, theirs, COMPARED) == COMPARED &&
               memcmp(ours, theirs, COMPARED) == 0;
    }
    return true;
}

/* Opens a mapped file, or returns -1 if there is none, or another one. */
static int open_mapped(struct core *core, const char *path)
{
    struct stat status;
    int fd;

    if (core->file_path != NULL && strcmp(core->file_path, path) == 0)
        return core->file;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 &&
        (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || !is_same_file(core, fd, path))) {
        (void)close(fd);
        fd = -1;
    }
    if (core->file >= 0)
        (void)close(core->file);
    core->file = fd;
    core->file_path = path;
    return fd;
}

/*
 * Reads what the core does not have from the mapped file, if nobody could write to the mapping. gdb
 * leaves out the whole segment of such a mapping.
 */
static size_t read_mapped(struct core *core, const struct segment *segment, uint64_t address,
                          void *out, size_t size)
{
    const struct core_file *file = file_at(core, address);
    bool written = segment != NULL && (segment->flags & PF_W) != 0;
    int fd = file == NULL || written ? -1 : open_mapped(core, file->path);

    if (fd < 0)
        return 0;
    if (size > file->end - address)
        size = (size_t)(file->end - address);
    return read_file(fd, file->offset + (address - file->start), out, size);
}

static size_t read_core(struct source *source, uint64_t address, void *out, size_t size)
{
    struct core *core = (struct core *)source;
    size_t done = 0;

    while (done < size) {
        const struct segment *segment = segment_at(core, address + done);
        uint64_t inside = segment == NULL ? 0 : address + done - segment->start;
        size_t part = size - done, got;

        if (segment != NULL && inside < segment->stored) {
            if (part > segment->stored - inside)
                part = (size_t)(segment->stored - inside);
            got = read_file(core->fd, segment->offset + inside, (char *)out + done, part);
        } else {
            if (segment != NULL && part > segment->end - address - done)
                part = (size_t)(segment->end - address - done);
            got = read_mapped(core, segment, address + done, (char *)out + done, part);
        }
        if (got == 0)
            break;
        done += got;
    }
    return done;
}

/*
 * gdb's gcore leaves out what it finds unchanged in a file that nobody can write to, which is code.
 * The list of mapped files has it.
 */
static void add_files_alone(const struct core *core, struct source *source)
{
    for (size_t i = 0; i < core->notes.file_count; i++) {
        const struct core_file *file = &core->notes.files[i];
        struct source_map map = {.start = file->start,
                                 .end = file->end,
                                 .offset = file->offset,
                                 .flags = MAP_READ | MAP_EXECUTE,
                                 .path = file->path};

        if (segment_at(core, file->start) == NULL)
            source_add_map(source, &map);
    }
}

static void load_maps(struct source *source)
{
    const struct core *core = (const struct core *)source;
    uint64_t sp = core->notes.thread_count > 0 ? core->notes.threads[0].sp : 0;

    for (size_t i = 0; i < core->segment_count; i++) {
        const struct segment *segment = &core->segments[i];
        const struct core_file *file = file_at(core, segment->start);
        struct source_map map = {.start = segment->start, .end = segment->end, .path = ""};

        map.flags = ((segment->flags & PF_R) != 0 ? MAP_READ : 0U) |
                    ((segment->flags & PF_W) != 0 ? MAP_WRITE : 0U) |
                    ((segment->flags & PF_X) != 0 ? MAP_EXECUTE : 0U);
        if (file != NULL) {
            map.path = file->path;
            map.offset = file->offset + (segment->start - file->start);
        } else if (sp >= segment->start && sp < segment->end) {
            map.path = "[stack]";
        }
        source_add_map(source, &map);
    }
    add_files_alone(core, source);
}

static int each_thread(struct source *source,
                       int (*visit)(void *context, const struct source_thread *thread),
                       void *context)
{
    const struct core *core = (const struct core *)source;
    int result = 0;

    for (size_t i = 0; i < core->notes.thread_count && result == 0; i++) {
        const struct core_thread *from = &core->notes.threads[i];
        uint64_t registers[64];
        struct source_thread thread = {.tid = from->tid,
                                       .sp = from->sp,
                                       .pc = from->pc,
                                       .registers = registers,
                                       .register_count = from->count};

        memcpy(registers, from->registers, from->count * sizeof registers[0]);
        if (thread.tid == core->notes.pid)
            memcpy(thread.name, core->notes.name, sizeof thread.name);
        result = visit(context, &thread);
    }
    return result;
}

static void close_core(struct source *source)
{
    struct core *core = (struct core *)source;

    for (size_t i = 0; i < core->note_count; i++)
        free(core->note_bytes[i]);
    free(core->note_bytes);
    core_notes_end(&core->notes);
    free(core->segments);
    if (core->file >= 0)
        (void)close(core->file);
    if (core->fd >= 0)
        (void)close(core->fd);
}

static const struct source_kind_functions functions = {
    .kind = SOURCE_CORE,
    .read_some = read_core,
    .load_maps = load_maps,
    .each_thread = each_thread,
    .close = close_core,
};

static bool add_notes(struct core *core, const GElf_Phdr *header)
{
    unsigned char *bytes =
        header->p_offset > core->size || header->p_filesz > core->size - header->p_offset
            ? NULL
            : malloc(header->p_filesz + 1);
    unsigned char **larger =
        reallocarray(core->note_bytes, core->note_count + 1, sizeof *core->note_bytes);

    if (larger != NULL)
        core->note_bytes = larger;
    if (bytes == NULL || larger == NULL ||
        read_file(core->fd, header->p_offset, bytes, header->p_filesz) != header->p_filesz) {
        free(bytes);
        return true; /* without these notes, if there is no better */
    }
    core->note_bytes[core->note_count++] = bytes;
    return core_notes_add(&core->notes, bytes, header->p_filesz, core->machine);
}

static int compare_segments(const void *left, const void *right)
{
    const struct segment *a = left, *b = right;

    return (a->start > b->start) - (a->start < b->start);
}

/* Sorts the segments. Those that begin inside of another one are dropped. */
static void order_segments(struct core *core)
{
    size_t kept = 0;

    if (core->segment_count > 0)
        qsort(core->segments, core->segment_count, sizeof *core->segments, compare_segments);
    for (size_t i = 0; i < core->segment_count; i++)
        if (kept == 0 || core->segments[i].start >= core->segments[kept - 1].end)
            core->segments[kept++] = core->segments[i];
    core->segment_count = kept;
}

/* Returns how many bytes the file lacks of the segment. */
static uint64_t add_segment(struct core *core, const GElf_Phdr *header)
{
    uint64_t room = header->p_offset < core->size ? core->size - header->p_offset : 0;
    uint64_t stored = header->p_filesz < room ? header->p_filesz : room;
    uint64_t memory = header->p_memsz > header->p_filesz ? header->p_memsz : header->p_filesz;

    if (memory > 0 && memory <= UINT64_MAX - header->p_vaddr)
        core->segments[core->segment_count++] = (struct segment){.start = header->p_vaddr,
                                                                 .end = header->p_vaddr + memory,
                                                                 .stored = stored,
                                                                 .offset = header->p_offset,
                                                                 .flags = header->p_flags};
    return header->p_filesz - stored;
}

static bool read_headers(struct core *core, Elf *elf, const char *path)
{
    size_t count = 0;
    uint64_t lacking = 0;

    if (elf_getphdrnum(elf, &count) != 0 || count > core->size / sizeof(Elf64_Phdr)) {
        say("%s is broken: it has no sound program headers", path);
        return false;
    }
    core->segments = calloc(count + 1, sizeof *core->segments);
    if (core->segments == NULL) {
        say_error(ENOMEM, "cannot read %s", path);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;

        if (gelf_getphdr(elf, (int)i, &header) == NULL)
            continue;
        if (header.p_type == PT_LOAD)
            lacking += add_segment(core, &header);
        else if (header.p_type == PT_NOTE && !add_notes(core, &header))
            say_error(ENOMEM, "cannot read the notes of %s", path);
    }
    order_segments(core);
    if (lacking > 0)
        say("%s is cut off: %" PRIu64 " bytes of memory are missing (ulimit -c, or a full disk?)",
            path, lacking);
    return true;
}

static bool open_elf(struct core *core, const char *path)
{
    Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(core->fd, ELF_C_READ, NULL);
    GElf_Ehdr header;
    bool sound = false;

    if (elf == NULL || gelf_getehdr(elf, &header) == NULL)
        say("%s is broken: it is no complete ELF file", path);
    else if (header.e_type != ET_CORE)
        say("%s is a program or a library, and no core file", path);
    else if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
             (header.e_machine != EM_X86_64 && header.e_machine != EM_AARCH64))
        say("%s is of another kind of machine", path);
    else {
        core->machine = header.e_machine;
        sound = read_headers(core, elf, path);
    }
    (void)elf_end(elf);
    return sound;
}

struct source *source_open_core(int fd, const char *path)
{
    struct core *core = calloc(1, sizeof *core);
    struct stat status;

    if (core == NULL || fstat(fd, &status) != 0) {
        say_error(core == NULL ? ENOMEM : errno, "cannot read %s", path);
        free(core);
        return NULL;
    }
    core->source.functions = &functions;
    core->fd = fd;
    core->file = -1;
    core->size = (uint64_t)status.st_size;
    if (!open_elf(core, path)) {
        core->fd = -1; /* the caller closes it */
        source_close(&core->source);
        return NULL;
    }
    core->source.pid = core->notes.pid;
    if (core->notes.command[0] != '\0')
        core->source.command = strdup(core->notes.command);
    return &core->source;
}
