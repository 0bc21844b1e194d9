/*
 * A snapshot or a recording: docs/SNAPSHOT.md. Only the places of the sections are kept in memory;
 * their bytes are read from the file when somebody asks. The file may be broken in any way, so no
 * length is believed that does not fit in it.
 */
#include "source_private.h"

#include "command.h"
#include "debug/snapshot.h"
#include "pieces.h"
#include "source_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A section, and its payload once somebody has asked for it. */
struct section {
    struct snapshot_section head;
    uint64_t offset; /* of the payload in the file */
    void *payload;
};

struct snapshot {
    struct source source;
    int fd;
    uint64_t size; /* of the file */
    struct snapshot_header header;
    struct section *sections;
    size_t section_count, section_room;
    struct piece *pieces, *voids; /* each sorted, without overlaps */
    size_t piece_count, void_count;
    struct source_tables tables; /* a piece's offset behind the end of the file leads into them */
};

static bool read_at(const struct snapshot *snapshot, uint64_t offset, void *out, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(snapshot->fd, (char *)out + done, size - done, (off_t)(offset + done));

        if (got <= 0 && !(got < 0 && errno == EINTR))
            return false;
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool read_piece(const struct snapshot *snapshot, uint64_t offset, void *out, size_t size)
{
    if (offset < snapshot->size)
        return read_at(snapshot, offset, out, size);
    memcpy(out, snapshot->tables.bytes + (offset - snapshot->size), size);
    return true;
}

static size_t read_memory(struct source *source, uint64_t address, void *out, size_t size)
{
    const struct snapshot *snapshot = (const struct snapshot *)source;
    size_t done = 0, at = pieces_behind(snapshot->voids, snapshot->void_count, address);

    if (at < snapshot->void_count && snapshot->voids[at].start < address + size)
        size =
            snapshot->voids[at].start > address ? (size_t)(snapshot->voids[at].start - address) : 0;
    at = pieces_behind(snapshot->pieces, snapshot->piece_count, address);
    for (; done < size && at < snapshot->piece_count; at++) {
        const struct piece *piece = &snapshot->pieces[at];
        size_t part = size - done;

        if (piece->start > address + done)
            break;
        if (part > piece->end - address - done)
            part = (size_t)(piece->end - address - done);
        if (piece->zeros)
            memset((char *)out + done, 0, part);
        else if (!read_piece(snapshot, piece->offset + (address + done - piece->start),
                             (char *)out + done, part))
            break;
        done += part;
    }
    return done;
}

static bool has_payload(uint32_t type)
{
    return type != SNAPSHOT_ZEROS && type != SNAPSHOT_VOID;
}

/* Reads a payload, once. Returns NULL if there is no memory or the file fails. */
static const void *payload_of(const struct snapshot *snapshot, struct section *section)
{
    char *payload;

    if (section->payload != NULL)
        return section->payload;
    payload = malloc(section->head.length + 1);
    if (payload == NULL || !read_at(snapshot, section->offset, payload, section->head.length)) {
        free(payload);
        return NULL;
    }
    payload[section->head.length] = '\0';
    section->payload = payload;
    return payload;
}

static bool find_section(struct source *source, unsigned type, size_t *place, const void **payload,
                         size_t *size)
{
    struct snapshot *snapshot = (struct snapshot *)source;

    for (; *place < snapshot->section_count; ++*place) {
        struct section *section = &snapshot->sections[*place];

        if (section->head.type != type || !has_payload(type))
            continue;
        *payload = payload_of(snapshot, section);
        if (*payload == NULL)
            continue;
        *size = section->head.length;
        ++*place;
        return true;
    }
    return false;
}

static void load_maps(struct source *source)
{
    const void *text;
    size_t place = 0, size;

    if (find_section(source, SNAPSHOT_MAPS, &place, &text, &size))
        source_parse_maps(source, text, size);
}

/* Visits the threads of one section. */
static int each_of(const char *at, size_t size,
                   int (*visit)(void *context, const struct source_thread *thread), void *context)
{
    struct snapshot_thread record;
    int result = 0;

    while (result == 0 && size >= sizeof record) {
        struct source_thread thread;
        uint64_t registers[128];

        memcpy(&record, at, sizeof record);
        at += sizeof record;
        size -= sizeof record;
        if (record.registers > size / sizeof registers[0] ||
            record.registers > sizeof registers / sizeof registers[0])
            return 0;
        memcpy(registers, at, record.registers * sizeof registers[0]);
        at += record.registers * sizeof registers[0];
        size -= record.registers * sizeof registers[0];
        thread = (struct source_thread){.tid = (pid_t)record.tid,
                                        .sp = record.sp,
                                        .pc = record.pc,
                                        .registers = registers,
                                        .register_count = record.registers};
        memcpy(thread.name, record.name, sizeof thread.name - 1);
        result = visit(context, &thread);
    }
    return result;
}

static int each_thread(struct source *source,
                       int (*visit)(void *context, const struct source_thread *thread),
                       void *context)
{
    size_t place = 0, size;
    const void *payload;
    int result = 0;

    while (result == 0 && find_section(source, SNAPSHOT_THREADS, &place, &payload, &size))
        result = each_of(payload, size, visit, context);
    return result;
}

static void close_snapshot(struct source *source)
{
    struct snapshot *snapshot = (struct snapshot *)source;

    for (size_t i = 0; i < snapshot->section_count; i++)
        free(snapshot->sections[i].payload);
    free(snapshot->sections);
    free(snapshot->pieces);
    free(snapshot->voids);
    source_tables_free(&snapshot->tables);
    if (snapshot->fd >= 0)
        (void)close(snapshot->fd);
}

static const struct source_kind_functions functions = {
    .kind = SOURCE_SNAPSHOT,
    .read_some = read_memory,
    .load_maps = load_maps,
    .each_thread = each_thread,
    .section = find_section,
    .close = close_snapshot,
};

static bool header_is_ours(const struct snapshot *snapshot, const char *path)
{
    const struct snapshot_header *header = &snapshot->header;

    if (snapshot->size < sizeof *header || header->size < sizeof *header ||
        header->size > snapshot->size || header->size % 8 != 0)
        say("%s is broken or cut off: it has no complete header of a snapshot", path);
    else if (header->byte_order != SNAPSHOT_BYTE_ORDER || header->word_size != sizeof(uint64_t))
        say("%s was written on another kind of machine, with another byte order or word size",
            path);
    else if (header->version < SNAPSHOT_VERSION || header->version > SNAPSHOT_VERSION_CODED)
        say("%s is a snapshot of version %u; this ftm reads versions %u to %u", path,
            header->version, (unsigned)SNAPSHOT_VERSION, (unsigned)SNAPSHOT_VERSION_CODED);
    else
        return true;
    return false;
}

static struct section *add_section(struct snapshot *snapshot)
{
    if (snapshot->section_count == snapshot->section_room) {
        size_t room = snapshot->section_room == 0 ? 64 : 2 * snapshot->section_room;
        struct section *larger = reallocarray(snapshot->sections, room, sizeof *larger);

        if (larger == NULL)
            return NULL;
        snapshot->sections = larger;
        snapshot->section_room = room;
    }
    snapshot->sections[snapshot->section_count] = (struct section){.offset = 0};
    return &snapshot->sections[snapshot->section_count++];
}

static uint64_t sum_of(uint64_t sum, const void *words, size_t size)
{
    for (size_t at = 0; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, (const char *)words + at, sizeof word);
        sum = snapshot_sum(sum, word);
    }
    return sum;
}

/* The checksum of the whole header, of which a later version may have more than we know. */
static bool sum_header(const struct snapshot *snapshot, uint64_t *sum)
{
    uint64_t word;

    *sum = 0;
    for (uint32_t at = 0; at < snapshot->header.size; at += sizeof word) {
        if (!read_at(snapshot, at, &word, sizeof word))
            return false;
        *sum = snapshot_sum(*sum, word);
    }
    return true;
}

static bool end_is_right(const struct snapshot *snapshot, struct section *end, uint64_t sum,
                         const char *path)
{
    struct snapshot_end record;
    const void *payload = end->head.length >= sizeof record ? payload_of(snapshot, end) : NULL;

    if (payload != NULL)
        memcpy(&record, payload, sizeof record);
    if (payload != NULL && record.sections == snapshot->section_count && record.checksum == sum)
        return true;
    say("%s is broken: its sections are not those that were written", path);
    return false;
}

/* Lists the sections up to END, which shows that the file is complete. */
static bool list_sections(struct snapshot *snapshot, const char *path)
{
    uint64_t at = snapshot->header.size, sum;

    if (!sum_header(snapshot, &sum)) {
        say_error(errno, "cannot read %s", path);
        return false;
    }
    for (;;) {
        struct section *section;
        uint64_t room;

        if (snapshot->size - at < sizeof section->head)
            break;
        section = add_section(snapshot);
        if (section == NULL || !read_at(snapshot, at, &section->head, sizeof section->head)) {
            say_error(section == NULL ? ENOMEM : EIO, "cannot read %s", path);
            return false;
        }
        at += sizeof section->head;
        sum = sum_of(sum, &section->head, sizeof section->head);
        section->offset = at;
        room = snapshot->size - at;
        if (has_payload(section->head.type)) {
            if (section->head.length > room || (section->head.length + 7) / 8 * 8 > room)
                break;
            at += (section->head.length + 7) / 8 * 8;
        }
        if (section->head.type == SNAPSHOT_END)
            return end_is_right(snapshot, section, sum, path);
    }
    say("%s is cut off: its writer did not come to the end, or part of it was lost", path);
    return false;
}

static bool list_tables(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->section_count; i++) {
        struct section *section = &snapshot->sections[i];
        const void *payload;

        if (section->head.type != SNAPSHOT_TABLE)
            continue;
        payload = payload_of(snapshot, section);
        if (payload == NULL || !source_tables_add(&snapshot->tables, payload, section->head.length))
            return false;
        free(section->payload);
        section->payload = NULL;
    }
    return true;
}

static bool list_pieces(struct snapshot *snapshot, const char *path)
{
    if (!list_tables(snapshot)) {
        say("%s is broken: a table in it cannot be read", path);
        return false;
    }
    snapshot->pieces =
        calloc(snapshot->section_count + snapshot->tables.count + 1, sizeof *snapshot->pieces);
    snapshot->voids = calloc(snapshot->section_count + 1, sizeof *snapshot->voids);
    if (snapshot->pieces == NULL || snapshot->voids == NULL)
        return false;
    for (size_t i = 0; i < snapshot->section_count; i++) {
        const struct section *section = &snapshot->sections[i];
        struct piece piece = {.start = section->head.address,
                              .end = section->head.address + section->head.length,
                              .offset = section->offset,
                              .zeros = section->head.type == SNAPSHOT_ZEROS};

        if (piece.end < piece.start)
            continue;
        if (section->head.type == SNAPSHOT_MEMORY || piece.zeros)
            snapshot->pieces[snapshot->piece_count++] = piece;
        else if (section->head.type == SNAPSHOT_VOID)
            snapshot->voids[snapshot->void_count++] = piece;
    }
    snapshot->piece_count += source_tables_copy(
        &snapshot->tables, snapshot->pieces + snapshot->piece_count, snapshot->size);
    snapshot->piece_count = pieces_order(snapshot->pieces, snapshot->piece_count);
    snapshot->void_count = pieces_order(snapshot->voids, snapshot->void_count);
    return true;
}

struct source *source_open_snapshot(int fd, const char *path)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    size_t place = 0, size;
    const void *command;
    struct stat status;

    if (snapshot == NULL || fstat(fd, &status) != 0) {
        say_error(snapshot == NULL ? ENOMEM : errno, "cannot read %s", path);
        free(snapshot);
        return NULL;
    }
    snapshot->source.functions = &functions;
    snapshot->fd = fd;
    snapshot->size = (uint64_t)status.st_size;
    if (snapshot->size >= sizeof snapshot->header &&
        !read_at(snapshot, 0, &snapshot->header, sizeof snapshot->header))
        snapshot->size = 0;
    if (!header_is_ours(snapshot, path) || !list_sections(snapshot, path) ||
        !list_pieces(snapshot, path)) {
        snapshot->fd = -1; /* the caller closes it */
        source_close(&snapshot->source);
        return NULL;
    }
    snapshot->source.pid = (pid_t)snapshot->header.pid;
    snapshot->source.layout = snapshot->header.layout;
    snapshot->source.clock = snapshot->header.clock;
    if (find_section(&snapshot->source, SNAPSHOT_COMMAND, &place, &command, &size))
        snapshot->source.command = source_command_of(command, size);
    if (snapshot->source.pid == 0 && place > 0)
        snapshot->source.pid = (pid_t)snapshot->sections[place - 1].head.address;
    return &snapshot->source;
}
