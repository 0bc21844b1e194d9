/*
 * Writing snapshots from outside.
 */
#include "snapshot_write.h"

#include "command.h"
#include "debug/snapshot.h"
#include "history.h"
#include "memory.h"
#include "pack.h"
#include "progress.h"
#include "snapshot_ranges.h"
#include "snapshot_tables.h"
#include "source.h"
#include "symbols.h"
#include "view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, BLOCK = 1 << 20, PADDING = 8 };

struct writer {
    FILE *file;
    uint64_t sum, sections;
    char *block; /* BLOCK bytes */
    struct snapshot_tables tables;
};

static void add_sum(struct writer *writer, const void *words, size_t size)
{
    uint64_t word;

    for (size_t at = 0; at + sizeof word <= size; at += sizeof word) {
        memcpy(&word, (const char *)words + at, sizeof word);
        writer->sum = snapshot_sum(writer->sum, word);
    }
}

/* Writes a section's head; of one with a payload, the payload and its padding follow. */
static void put_section(struct writer *writer, uint32_t type, uint64_t address, uint64_t length,
                        const void *payload)
{
    const struct snapshot_section head = {.type = type, .address = address, .length = length};
    static const char zeros[PADDING];

    add_sum(writer, &head, sizeof head);
    writer->sections++;
    (void)fwrite(&head, sizeof head, 1, writer->file);
    if (payload == NULL)
        return;
    (void)fwrite(payload, 1, length, writer->file);
    (void)fwrite(zeros, 1, (PADDING - length % PADDING) % PADDING, writer->file);
}

static bool is_zero(const char *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Writes bytes that were read: runs of pages with and without content, one section each. */
static void put_block(struct writer *writer, uint64_t address, size_t size)
{
    size_t next;

    for (size_t at = 0; at < size; at = next) {
        size_t page = size - at < PAGE ? size - at : PAGE;
        bool zero = is_zero(writer->block + at, page);

        for (next = at + page; next < size; next += page) {
            page = size - next < PAGE ? size - next : PAGE;
            if (is_zero(writer->block + next, page) != zero)
                break;
        }
        put_section(writer, zero ? SNAPSHOT_ZEROS : SNAPSHOT_MEMORY, address + at, next - at,
                    zero ? NULL : writer->block + at);
    }
}

/* What cannot be read is left out: it was unmapped, or nobody may read it. */
static void put_range(struct writer *writer, struct view *view, const struct range *range)
{
    for (uint64_t at = range->start; at < range->end;) {
        size_t size = range->end - at < BLOCK ? (size_t)(range->end - at) : BLOCK;
        size_t got = source_read_some(view_source(view), at, writer->block, size);

        if (got > 0)
            put_block(writer, at, got);
        at += got > 0 ? got : PAGE - at % PAGE;
    }
}

struct places {
    struct writer *writer;
    struct view *view;
};

static void put_between(void *context, uint64_t start, uint64_t end)
{
    const struct places *places = context;

    put_range(places->writer, places->view, &(struct range){start, end});
}

static void put_copy(void *context, uint64_t address, const void *bytes, size_t size)
{
    struct writer *writer = context;

    for (size_t at = 0, part; at < size; at += part) {
        part = size - at < BLOCK ? size - at : BLOCK;
        memcpy(writer->block, (const char *)bytes + at, part);
        put_block(writer, address + at, part);
    }
}

/* Writes the memory without the tables' blocks, and the history without calls that are half old. */
static void put_memory(struct writer *writer, struct view *view, bool contents)
{
    struct ranges ranges = {NULL, 0, 0}, apart = {NULL, 0, 0};
    const struct ranges *blocks = &writer->tables.blocks;
    struct places places = {writer, view};
    struct progress progress;

    for (size_t i = 0; i < blocks->count; i++)
        ranges_add(&apart, blocks->list[i].start, blocks->list[i].end - blocks->list[i].start);
    history_ranges(view, &apart);
    ranges_join(&apart);
    history_copy(view, put_copy, writer);
    snapshot_ranges(view, contents, &ranges);
    progress_begin(&progress, "writing memory", ranges.count);
    for (size_t i = 0; i < ranges.count; i++) {
        ranges_outside(&apart, ranges.list[i].start, ranges.list[i].end, put_between, &places);
        progress_step(&progress, i);
    }
    progress_end(&progress);
    ranges_free(&ranges);
    ranges_free(&apart);
}

static void put_tables(struct writer *writer)
{
    for (unsigned i = 0; i < SNAPSHOT_TABLE_COUNT; i++)
        if (writer->tables.of[i].bytes != NULL)
            put_section(writer, SNAPSHOT_TABLE, 0, writer->tables.of[i].size,
                        writer->tables.of[i].bytes);
}

struct text {
    char *bytes;
    size_t size;
    FILE *file;
};

static void put_text(struct writer *writer, uint32_t type, struct text *text)
{
    bool complete = text->file != NULL && fclose(text->file) == 0;

    if (complete && text->size > 0)
        put_section(writer, type, 0, text->size, text->bytes);
    free(text->bytes);
}

static void put_maps(struct writer *writer, struct source *source)
{
    size_t count;
    const struct source_map *maps = source_maps(source, &count);
    struct text text = {NULL, 0, NULL};

    text.file = open_memstream(&text.bytes, &text.size);
    for (size_t i = 0; text.file != NULL && i < count; i++)
        (void)fprintf(
            text.file, "%" PRIx64 "-%" PRIx64 " %c%c%c%c %08" PRIx64 " 00:00 0 %s\n", maps[i].start,
            maps[i].end, maps[i].flags & MAP_READ ? 'r' : '-',
            maps[i].flags & MAP_WRITE ? 'w' : '-', maps[i].flags & MAP_EXECUTE ? 'x' : '-',
            maps[i].flags & MAP_SHARED_WITH_OTHERS ? 's' : 'p', maps[i].offset, maps[i].path);
    put_text(writer, SNAPSHOT_MAPS, &text);
}

static int put_thread(void *context, const struct source_thread *thread)
{
    FILE *file = context;
    struct snapshot_thread record = {.tid = (uint32_t)thread->tid,
                                     .registers = thread->register_count,
                                     .sp = thread->sp,
                                     .pc = thread->pc};

    memcpy(record.name, thread->name, sizeof record.name);
    (void)fwrite(&record, sizeof record, 1, file);
    if (thread->register_count > 0)
        (void)fwrite(thread->registers, sizeof thread->registers[0], thread->register_count, file);
    return 0;
}

static void put_threads(struct writer *writer, struct source *source)
{
    struct text text = {NULL, 0, NULL};

    text.file = open_memstream(&text.bytes, &text.size);
    if (text.file != NULL)
        (void)source_each_thread(source, put_thread, text.file);
    put_text(writer, SNAPSHOT_THREADS, &text);
}

static void put_symbols(struct writer *writer, struct view *view)
{
    struct text symbols = {NULL, 0, NULL}, modules = {NULL, 0, NULL};

    symbols.file = open_memstream(&symbols.bytes, &symbols.size);
    modules.file = open_memstream(&modules.bytes, &modules.size);
    if (symbols.file != NULL && modules.file != NULL)
        (void)symbols_write_view(view, symbols.file, modules.file);
    put_text(writer, SNAPSHOT_SYMBOLS, &symbols);
    put_text(writer, SNAPSHOT_MODULES, &modules);
}

static void put_header(struct writer *writer, struct view *view, bool contents)
{
    struct timespec now = {0, 0};
    struct snapshot_header header = {
        .magic = SNAPSHOT_MAGIC,
        .byte_order = SNAPSHOT_BYTE_ORDER,
        .version = writer->tables.blocks.count > 0 ? SNAPSHOT_VERSION_CODED : SNAPSHOT_VERSION,
        .word_size = sizeof(void *),
        .size = sizeof header,
        .pid = (uint32_t)source_pid(view_source(view)),
        .layout = view_layout_address(view),
        .flags = SNAPSHOT_OUTSIDE | (contents ? SNAPSHOT_CONTENTS : 0),
        .page_size = (uint32_t)sysconf(_SC_PAGESIZE),
        .clock = source_clock(view_source(view)),
    };

    if (clock_gettime(CLOCK_REALTIME, &now) == 0)
        header.time = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    add_sum(writer, &header, sizeof header);
    (void)fwrite(&header, sizeof header, 1, writer->file);
}

static void put_end(struct writer *writer)
{
    const struct snapshot_section head = {.type = SNAPSHOT_END,
                                          .length = sizeof(struct snapshot_end)};
    struct snapshot_end end = {.sections = writer->sections + 1};

    add_sum(writer, &head, sizeof head);
    end.checksum = writer->sum;
    (void)fwrite(&head, sizeof head, 1, writer->file);
    (void)fwrite(&end, sizeof end, 1, writer->file);
    writer->sections++;
}

static void put_all(struct writer *writer, struct view *view, bool contents)
{
    struct source *source = view_source(view);
    const char *command = source_command(source);

    /* The tables come first: the longer ago they were read, the less they agree with the rest. */
    snapshot_tables_read(view, &writer->tables);
    put_header(writer, view, contents);
    put_tables(writer);
    put_memory(writer, view, contents);
    put_maps(writer, source);
    put_threads(writer, source);
    put_section(writer, SNAPSHOT_COMMAND, 0, strlen(command), command);
    put_symbols(writer, view);
    put_end(writer);
    snapshot_tables_free(&writer->tables);
}

/* Returns false, after a line on stderr, if not everything is in the file. */
static bool finish(struct writer *writer, const char *temporary, const char *path,
                   struct snapshot_written *written)
{
    bool complete = ferror(writer->file) == 0;
    struct stat status;

    complete = fclose(writer->file) == 0 && complete;
    if (!complete || stat(temporary, &status) != 0 || rename(temporary, path) != 0) {
        say_error(errno, "cannot write %s", path);
        (void)unlink(temporary);
        return false;
    }
    *written = (struct snapshot_written){writer->sections, (uint64_t)status.st_size};
    return true;
}

bool snapshot_write(struct view *view, const char *path, unsigned how,
                    struct snapshot_written *written)
{
    char *temporary = memory_format("%s.part", path);
    struct writer writer = {.file = fopen(temporary, "wbe")};
    bool complete = false;

    if (writer.file == NULL) {
        say_error(errno, "cannot write %s", path);
    } else {
        if ((how & SNAPSHOT_PLAIN) == 0)
            writer.file = pack_file(writer.file, (how & SNAPSHOT_WITH_CONTENTS) == 0);
        writer.block = memory_new(1, BLOCK);
        put_all(&writer, view, (how & SNAPSHOT_WITH_CONTENTS) != 0);
        complete = finish(&writer, temporary, path, written);
        free(writer.block);
    }
    free(temporary);
    return complete;
}
