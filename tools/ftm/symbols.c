/*
 * Each address is looked up once: in the snapshot's own symbols, in the mapped files, and in what a
 * just-in-time compiler wrote. The frames are kept in one array, and a hash table of addresses
 * says where those of an address begin.
 */
#include "symbols.h"

#include "debug/snapshot.h"
#include "memory.h"
#include "source.h"
#include "symbols_own.h"

#include <stdlib.h>
#include <string.h>

struct known {
    uint64_t pc;
    uint32_t first, count; /* count 0: the slot is empty */
};

struct symbols {
    struct names *names;
    struct section_symbols *section;
    struct elf_symbols *elf;
    struct perf_symbols *perf;
    struct frame *frames;
    size_t frame_count, frame_room;
    struct known *slots;
    size_t slot_room, slot_count;
};

struct symbols *symbols_of_text(const char *text, size_t size)
{
    struct symbols *symbols = memory_new(1, sizeof(*symbols));

    symbols->names = names_new();
    symbols->slot_room = 1024;
    symbols->slots = memory_new(symbols->slot_room, sizeof(*symbols->slots));
    if (text != NULL)
        symbols->section = section_symbols_open(text, size, symbols->names);
    return symbols;
}

struct symbols *symbols_open(struct source *source)
{
    const void *text = NULL;
    size_t size = 0, place = 0;
    struct symbols *symbols;

    if (!source_section(source, SNAPSHOT_SYMBOLS, &place, &text, &size))
        text = NULL;
    symbols = symbols_of_text(text, size);
    symbols->elf = elf_symbols_open(source, symbols->names);
    if (source_kind(source) == SOURCE_LIVE)
        symbols->perf = perf_symbols_open((int)source_pid(source), symbols->names);
    return symbols;
}

void symbols_close(struct symbols *symbols)
{
    if (symbols == NULL)
        return;
    section_symbols_close(symbols->section);
    elf_symbols_close(symbols->elf);
    perf_symbols_close(symbols->perf);
    names_free(symbols->names);
    free(symbols->frames);
    free(symbols->slots);
    free(symbols);
}

static struct known *find_slot(struct known *slots, size_t room, uint64_t pc)
{
    size_t slot = (pc * 0x9e3779b97f4a7c15U >> 20) & (room - 1);

    while (slots[slot].count > 0 && slots[slot].pc != pc)
        slot = (slot + 1) & (room - 1);
    return &slots[slot];
}

static void double_slots(struct symbols *symbols)
{
    size_t room = symbols->slot_room * 2;
    struct known *slots = memory_new(room, sizeof(*slots));

    for (size_t i = 0; i < symbols->slot_room; i++)
        if (symbols->slots[i].count > 0)
            *find_slot(slots, room, symbols->slots[i].pc) = symbols->slots[i];
    free(symbols->slots);
    symbols->slots = slots;
    symbols->slot_room = room;
}

static unsigned look_up(struct symbols *symbols, uint64_t pc, struct frame *frames)
{
    unsigned count = section_symbols_at(symbols->section, pc, frames, SYMBOLS_INLINED_MAX);

    if (count > 0 && frames[count - 1].function != NULL)
        elf_symbols_note(symbols->elf, pc);
    if (count == 0)
        count = elf_symbols_at(symbols->elf, pc, frames, SYMBOLS_INLINED_MAX);
    if (count == 0) {
        frames[0] = (struct frame){.address = pc, .offset = pc};
        frames[0].function = perf_symbols_at(symbols->perf, pc);
        count = 1;
    }
    return count;
}

static struct known *learn(struct symbols *symbols, uint64_t pc)
{
    struct frame frames[SYMBOLS_INLINED_MAX];
    struct known *slot;
    unsigned count = look_up(symbols, pc, frames);

    if (symbols->slot_count * 2 >= symbols->slot_room)
        double_slots(symbols);
    slot = find_slot(symbols->slots, symbols->slot_room, pc);
    *slot = (struct known){.pc = pc, .first = (uint32_t)symbols->frame_count, .count = count};
    symbols->slot_count++;
    for (unsigned i = 0; i < count; i++) {
        symbols->frames = memory_grow(symbols->frames, &symbols->frame_room, symbols->frame_count,
                                      sizeof(*symbols->frames));
        symbols->frames[symbols->frame_count++] = frames[i];
    }
    return slot;
}

unsigned symbols_at(struct symbols *symbols, uint64_t pc, struct frame *frames, unsigned max)
{
    const struct known *known = find_slot(symbols->slots, symbols->slot_room, pc);
    unsigned count;

    if (known->count == 0)
        known = learn(symbols, pc);
    count = known->count < max ? known->count : max;
    memcpy(frames, symbols->frames + known->first, count * sizeof(*frames));
    return count;
}

const struct symbols_module *symbols_modules(const struct symbols *symbols, size_t *count)
{
    return elf_symbols_modules(symbols->elf, count);
}

const struct symbols_module *symbols_module_at(const struct symbols *symbols, uint64_t pc)
{
    size_t count;
    const struct symbols_module *modules = elf_symbols_modules(symbols->elf, &count);

    for (size_t i = 0; i < count; i++)
        if (pc >= modules[i].start && pc < modules[i].end)
            return &modules[i];
    return NULL;
}

bool symbols_write(struct symbols *symbols, const uint64_t *pcs, size_t count, FILE *file)
{
    struct frame frames[SYMBOLS_INLINED_MAX];

    for (size_t i = 0; i < count; i++) {
        unsigned found = symbols_at(symbols, pcs[i], frames, SYMBOLS_INLINED_MAX);

        if (!section_write(file, frames, found))
            return false;
    }
    return true;
}

bool symbols_write_modules(const struct symbols *symbols, FILE *file)
{
    size_t count;
    const struct symbols_module *modules = symbols_modules(symbols, &count);
    bool written = true;

    for (size_t i = 0; i < count && written; i++)
        written = section_write_module(file, &modules[i]);
    return written;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

size_t frame_text(const struct frame *frame, char *buffer, size_t size)
{
    int length;

    if (frame->function != NULL && frame->file != NULL)
        length = snprintf(buffer, size, "%s (%s:%u)", frame->function, last_part(frame->file),
                          frame->line);
    else if (frame->function != NULL && frame->module != NULL)
        length = snprintf(buffer, size, "%s (in %s)", frame->function, last_part(frame->module));
    else if (frame->function != NULL)
        length = snprintf(buffer, size, "%s", frame->function);
    else if (frame->module != NULL)
        length = snprintf(buffer, size, "%s+0x%llx", last_part(frame->module),
                          (unsigned long long)frame->offset);
    else
        length = snprintf(buffer, size, "0x%llx", (unsigned long long)frame->address);
    for (char *c = buffer; size > 0 && *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return length < 0 ? 0 : (size_t)length;
}
