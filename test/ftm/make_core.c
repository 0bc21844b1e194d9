/*
 * ELF header, program headers, notes, memory.
 */
#include "make_core.h"

#include "debug/snapshot.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

struct core {
    unsigned char *bytes;
    size_t size, room;
};

static void put(struct core *core, const void *bytes, size_t size)
{
    while (core->size + size > core->room) {
        core->room = core->room == 0 ? 1 << 16 : 2 * core->room;
        core->bytes = realloc(core->bytes, core->room);
        if (core->bytes == NULL)
            abort();
    }
    memcpy(core->bytes + core->size, bytes, size);
    core->size += size;
}

static void put_note(struct core *core, uint32_t type, const void *note, size_t size)
{
    static const char padding[4];
    Elf64_Nhdr head = {.n_namesz = 5, .n_descsz = (Elf64_Word)size, .n_type = type};

    put(core, &head, sizeof head);
    put(core, "CORE\0\0\0", 8);
    put(core, note, size);
    put(core, padding, -size % 4);
}

/* The piece that has the layout is the data of a file, as ftm expects it. */
static void put_notes(struct core *core, const struct snapshot_section *data)
{
    enum { PAGE = 4096 };
    struct elf_prstatus status = {.pr_pid = 77};
    struct elf_prpsinfo process = {.pr_pid = 77, .pr_fname = "made", .pr_psargs = "./made core"};
    struct {
        uint64_t count, page, start, end, offset;
        char path[16];
    } files = {1, PAGE, data->address, data->address + data->length, 1, "/nonexistent"};

    put_note(core, NT_PRSTATUS, &status, sizeof status);
    put_note(core, NT_PRPSINFO, &process, sizeof process);
    put_note(core, NT_FILE, &files, sizeof files);
}

/*
 * Takes the next piece of memory of a snapshot; *bytes is NULL if it is zeros. Returns false at the
 * end.
 */
static bool next_piece(const unsigned char *snapshot, size_t size, size_t *at,
                       struct snapshot_section *section, const unsigned char **bytes)
{
    while (size - *at >= sizeof *section) {
        memcpy(section, snapshot + *at, sizeof *section);
        *at += sizeof *section;
        *bytes = NULL;
        if (section->type == SNAPSHOT_ZEROS)
            return true;
        if (section->type == SNAPSHOT_VOID)
            continue;
        *bytes = snapshot + *at;
        *at += (section->length + 7) / 8 * 8;
        if (section->type == SNAPSHOT_MEMORY)
            return true;
    }
    return false;
}

static void put_piece(struct core *core, const struct snapshot_section *section,
                      const unsigned char *bytes)
{
    unsigned char *zeros = bytes != NULL ? NULL : calloc(1, section->length);

    put(core, bytes != NULL ? bytes : zeros, section->length);
    free(zeros);
}

static void put_headers(struct core *core, const unsigned char *snapshot, size_t size,
                        size_t pieces, size_t notes)
{
    size_t at = sizeof(struct snapshot_header), offset;
    struct snapshot_section section;
    const unsigned char *bytes;
    Elf64_Phdr header = {.p_type = PT_NOTE, .p_filesz = notes};
    Elf64_Ehdr elf = {.e_ident = ELFMAG,
                      .e_type = ET_CORE,
                      .e_machine = sizeof(elf_gregset_t) == 27 * 8 ? EM_X86_64 : EM_AARCH64,
                      .e_version = EV_CURRENT,
                      .e_phoff = sizeof elf,
                      .e_ehsize = sizeof elf,
                      .e_phentsize = sizeof header,
                      .e_phnum = (Elf64_Half)(pieces + 1)};

    elf.e_ident[EI_CLASS] = ELFCLASS64;
    elf.e_ident[EI_DATA] = ELFDATA2LSB;
    elf.e_ident[EI_VERSION] = EV_CURRENT;
    put(core, &elf, sizeof elf);
    header.p_offset = sizeof elf + (pieces + 1) * sizeof header;
    put(core, &header, sizeof header);
    offset = header.p_offset + notes;
    while (next_piece(snapshot, size, &at, &section, &bytes)) {
        Elf64_Phdr memory = {.p_type = PT_LOAD,
                             .p_flags = PF_R | PF_W,
                             .p_offset = offset,
                             .p_vaddr = section.address,
                             .p_filesz = section.length,
                             .p_memsz = section.length};

        put(core, &memory, sizeof memory);
        offset += section.length;
    }
}

unsigned char *make_core(const unsigned char *snapshot, size_t snapshot_size, size_t *size,
                         size_t *headers)
{
    size_t at = sizeof(struct snapshot_header), pieces = 0;
    struct core notes = {.bytes = NULL}, core = {.bytes = NULL};
    struct snapshot_section section, data = {.type = 0};
    struct snapshot_header header;
    const unsigned char *bytes;

    memcpy(&header, snapshot, sizeof header);
    while (next_piece(snapshot, snapshot_size, &at, &section, &bytes)) {
        if (header.layout - section.address < section.length)
            data = section;
        pieces++;
    }
    put_notes(&notes, &data);
    put_headers(&core, snapshot, snapshot_size, pieces, notes.size);
    put(&core, notes.bytes, notes.size);
    *headers = core.size;
    at = sizeof(struct snapshot_header);
    while (next_piece(snapshot, snapshot_size, &at, &section, &bytes))
        put_piece(&core, &section, bytes);
    free(notes.bytes);
    *size = core.size;
    return core.bytes;
}
