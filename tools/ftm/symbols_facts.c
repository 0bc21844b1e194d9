/*
 * The ELF header, the program headers and the build-id of a mapped file, from the memory of the
 * source. All of it may be missing or wrong, in a core or in a hostile snapshot.
 */
#include "source.h"
#include "symbols_own.h"

#include <elf.h>
#include <string.h>

enum { SEGMENTS_MAX = 128, NOTES_MAX = 64 << 10 };

static void find_build_id(const unsigned char *notes, size_t size, struct elf_facts *facts)
{
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= size;) {
        Elf64_Nhdr note;
        size_t name, text, end;

        memcpy(&note, notes + at, sizeof(note));
        name = at + sizeof(note);
        text = name + (((size_t)note.n_namesz + 3) & ~(size_t)3);
        end = text + (((size_t)note.n_descsz + 3) & ~(size_t)3);
        if (end > size)
            return;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(notes + name, "GNU", 4) == 0 && note.n_descsz < sizeof(facts->build_id) / 2) {
            for (size_t i = 0; i < note.n_descsz; i++)
                snprintf(facts->build_id + 2 * i, 3, "%02x", notes[text + i]);
            return;
        }
        at = end;
    }
}

static void read_notes(struct source *source, uint64_t bias, const Elf64_Phdr *segment,
                       struct elf_facts *facts)
{
    static unsigned char notes[NOTES_MAX];

    if (facts->build_id[0] == '\0' && segment->p_memsz <= NOTES_MAX &&
        source_read(source, bias + segment->p_vaddr, notes, segment->p_memsz))
        find_build_id(notes, segment->p_memsz, facts);
}

void elf_facts_in_memory(struct source *source, uint64_t base, struct elf_facts *facts)
{
    static Elf64_Phdr segments[SEGMENTS_MAX];
    Elf64_Ehdr header;
    uint64_t bias;

    *facts = (struct elf_facts){0};
    if (!source_read(source, base, &header, sizeof(header)) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof(segments[0]) || header.e_phnum > SEGMENTS_MAX ||
        !source_read(source, base + header.e_phoff, segments, header.e_phnum * sizeof(segments[0])))
        return;
    for (int i = 0; i < header.e_phnum && !facts->known; i++)
        if (segments[i].p_type == PT_LOAD) {
            facts->lowest = segments[i].p_vaddr - segments[i].p_offset;
            facts->known = true;
        }
    facts->fixed = header.e_type == ET_EXEC;
    bias = facts->fixed ? 0 : base - facts->lowest;
    for (int i = 0; i < header.e_phnum; i++)
        if (segments[i].p_type == PT_NOTE)
            read_notes(source, bias, &segments[i], facts);
}
