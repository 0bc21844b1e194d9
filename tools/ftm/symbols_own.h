/*
 * Between the files of the symbolizer: three places that know what is at an address.
 *   symbols_elf.c      mapped files and their debug information
 *   symbols_perf.c     what a just-in-time compiler wrote to /tmp/perf-PID.map
 *   symbols_section.c  the SYMBOLS section of a snapshot
 */
#ifndef FTM_SYMBOLS_OWN_H
#define FTM_SYMBOLS_OWN_H

#include "symbols.h"

struct names;
struct source;

struct elf_symbols;
struct elf_symbols *elf_symbols_open(struct source *source, struct names *names);
void elf_symbols_close(struct elf_symbols *elf);
/* Returns how many frames it filled, 0 if it does not know the address. */
unsigned elf_symbols_at(struct elf_symbols *elf, uint64_t pc, struct frame *frames, unsigned max);
/* Notes that somebody else knew a function in the module of the address. */
void elf_symbols_note(struct elf_symbols *elf, uint64_t pc);
const struct symbols_module *elf_symbols_modules(const struct elf_symbols *elf, size_t *count);

struct perf_symbols;
/* Returns NULL if the process has no such file, or one that belongs to another user. */
struct perf_symbols *perf_symbols_open(int pid, struct names *names);
void perf_symbols_close(struct perf_symbols *perf);
/* Returns the name of what is there, or NULL. */
const char *perf_symbols_at(const struct perf_symbols *perf, uint64_t pc);

struct section_symbols;
/* Of the section's text, which need not be well-formed: what is not is left out. */
struct section_symbols *section_symbols_open(const char *text, size_t size, struct names *names);
void section_symbols_close(struct section_symbols *section);
unsigned section_symbols_at(const struct section_symbols *section, uint64_t pc,
                            struct frame *frames, unsigned max);
/* Writes the lines of one address. */
bool section_write(FILE *file, const struct frame *frames, unsigned count);

/* Writes the line of a module. */
bool section_write_module(FILE *file, const struct symbols_module *module);

/*
 * Calls `visit` for each line of a MODULES section that is well-formed. The path ends at its
 * length, and the build-id is empty if it is not known.
 */
struct module_line {
    uint64_t start, end;
    const char *build_id;
    const char *path;
};
void section_each_module(const char *text, size_t size,
                         void (*visit)(void *context, const struct module_line *line),
                         void *context);

/* The mapped ELF file's build-id and load bias, read from the source's memory or from a file. */
struct elf_facts {
    bool known;            /* the program headers could be read */
    bool fixed;            /* ET_EXEC: the addresses in the file are those in memory */
    uint64_t lowest;       /* address of the first PT_LOAD, rounded down to its page */
    char build_id[41 * 2]; /* hexadecimal digits; empty if there is none */
};
void elf_facts_in_memory(struct source *source, uint64_t base, struct elf_facts *facts);

/* A demangled copy of a C++ or old Rust name, to be freed; NULL if it is not such a name. */
char *symbols_demangle(const char *linkage);

#endif
