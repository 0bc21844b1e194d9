/*
 * Reads notes of the types that Linux writes. Each is in the form that <sys/procfs.h> declares; the
 * numbers here are offsets in it, which are the same for both machines but for the registers.
 */
#include "core_notes.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum {
    PRSTATUS_PID = 32,
    PRSTATUS_REGISTERS = 112,
    PSINFO_PID = 24,
    PSINFO_NAME = 40,
    PSINFO_ARGUMENTS = 56,
    PSINFO_SIZE = 136,
    X86_64_REGISTERS = 27,
    X86_64_SP = 19,
    X86_64_PC = 16,
    AARCH64_REGISTERS = 34,
    AARCH64_SP = 31,
    AARCH64_PC = 32,
};

static uint64_t word_at(const unsigned char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

static uint32_t number_at(const unsigned char *bytes)
{
    uint32_t number;

    memcpy(&number, bytes, sizeof number);
    return number;
}

static bool add_thread(struct core_notes *notes, const unsigned char *note, size_t size,
                       unsigned machine)
{
    bool arm = machine == EM_AARCH64;
    unsigned count = arm ? AARCH64_REGISTERS : X86_64_REGISTERS;
    const unsigned char *registers = note + PRSTATUS_REGISTERS;
    struct core_thread *larger;

    if (size < PRSTATUS_REGISTERS + count * sizeof(uint64_t))
        return true;
    larger = reallocarray(notes->threads, notes->thread_count + 1, sizeof *larger);
    if (larger == NULL)
        return false;
    notes->threads = larger;
    notes->threads[notes->thread_count++] = (struct core_thread){
        .tid = (pid_t)number_at(note + PRSTATUS_PID),
        .sp = word_at(registers + (arm ? AARCH64_SP : X86_64_SP) * sizeof(uint64_t)),
        .pc = word_at(registers + (arm ? AARCH64_PC : X86_64_PC) * sizeof(uint64_t)),
        .registers = registers,
        .count = count,
    };
    return true;
}

static void take_process(struct core_notes *notes, const unsigned char *note, size_t size)
{
    if (size < PSINFO_SIZE)
        return;
    notes->pid = (pid_t)number_at(note + PSINFO_PID);
    memcpy(notes->name, note + PSINFO_NAME, sizeof notes->name - 1);
    memcpy(notes->command, note + PSINFO_ARGUMENTS, sizeof notes->command - 1);
    size = strlen(notes->command);
    while (size > 0 && notes->command[size - 1] == ' ')
        notes->command[--size] = '\0';
}

static int compare_files(const void *left, const void *right)
{
    const struct core_file *a = left, *b = right;

    return (a->start > b->start) - (a->start < b->start);
}

/* Two words, then three for each file, then their names. */
static bool add_files(struct core_notes *notes, const unsigned char *note, size_t size)
{
    enum { HEAD = 2 * sizeof(uint64_t), EACH = 3 * sizeof(uint64_t) };
    uint64_t count = size < HEAD ? 0 : word_at(note), page = size < HEAD ? 0 : word_at(note + 8);
    const char *names, *end = (const char *)note + size;

    if (size < HEAD || count > (size - HEAD) / EACH || notes->files != NULL)
        return true;
    notes->files = calloc(count + 1, sizeof *notes->files);
    if (notes->files == NULL)
        return false;
    names = (const char *)note + HEAD + count * EACH;
    for (uint64_t i = 0; i < count; i++) {
        const unsigned char *entry = note + HEAD + i * EACH;
        const char *next = memchr(names, '\0', (size_t)(end - names));

        if (next == NULL)
            break;
        notes->files[notes->file_count++] = (struct core_file){.start = word_at(entry),
                                                               .end = word_at(entry + 8),
                                                               .offset = word_at(entry + 16) * page,
                                                               .path = names};
        names = next + 1;
    }
    if (notes->file_count > 0)
        qsort(notes->files, notes->file_count, sizeof *notes->files, compare_files);
    return true;
}

static bool add_note(struct core_notes *notes, uint32_t type, const unsigned char *note,
                     size_t size, unsigned machine)
{
    switch (type) {
    case NT_PRSTATUS:
        return add_thread(notes, note, size, machine);
    case NT_PRPSINFO:
        take_process(notes, note, size);
        return true;
    case NT_FILE:
        return add_files(notes, note, size);
    default:
        return true;
    }
}

/* Rounds up to a multiple of 4, as notes of core files are aligned. */
static uint64_t aligned(uint32_t size)
{
    return ((uint64_t)size + 3) & ~UINT64_C(3);
}

bool core_notes_add(struct core_notes *notes, const unsigned char *bytes, size_t size,
                    unsigned machine)
{
    Elf64_Nhdr head;

    while (size >= sizeof head) {
        uint64_t name, content;

        memcpy(&head, bytes, sizeof head);
        name = aligned(head.n_namesz);
        content = aligned(head.n_descsz);
        bytes += sizeof head;
        size -= sizeof head;
        if (name > size || head.n_descsz > size - name)
            return true;
        if (head.n_namesz == sizeof "CORE" && memcmp(bytes, "CORE", sizeof "CORE") == 0 &&
            !add_note(notes, head.n_type, bytes + name, head.n_descsz, machine))
            return false;
        if (content > size - name)
            return true;
        bytes += name + content;
        size -= name + content;
    }
    return true;
}

void core_notes_end(struct core_notes *notes)
{
    free(notes->files);
    free(notes->threads);
}
