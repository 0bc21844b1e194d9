/*
 * What is at an address of code: functions, inlined ones included, files and lines. Reads the
 * files that are mapped in a source and their separate debug information (elfutils), the maps of
 * just-in-time compilers (/tmp/perf-PID.map), and the symbols that a snapshot carries. Each address
 * is looked up once. All strings live until symbols_close().
 *
 * A file is used only if its build-id is the one that the process had mapped, as far as that is
 * known; a wrong file would give wrong names.
 */
#ifndef FTM_SYMBOLS_H
#define FTM_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct source;
struct symbols;

enum { SYMBOLS_INLINED_MAX = 32 };

struct frame {
    const char *function; /* demangled; NULL if it is not known */
    const char *linkage;  /* the function's name as the linker sees it, or NULL */
    const char *file;     /* NULL if it is not known */
    const char *module;   /* path of the mapped file, or NULL */
    unsigned line;        /* 0 if it is not known */
    uint64_t address;     /* as it was asked for */
    uint64_t offset;      /* of the address in the module, as its symbol table counts */
    bool inlined;         /* its code is part of the next frame's function */
};

/* A mapped file with code. */
struct symbols_module {
    const char *path;
    const char *build_id;  /* hexadecimal digits, or NULL if it is not known */
    uint64_t start, end;   /* the range that its mappings span */
    uint64_t start_offset; /* in the file, of the mapping at start */
    bool has_symbols;      /* some address in it got a function */
};

struct symbols *symbols_open(struct source *source);

/* Symbols of a SYMBOLS section alone, such as symbols_write() writes. */
struct symbols *symbols_of_text(const char *text, size_t size);

void symbols_close(struct symbols *symbols);

/*
 * Fills frames for the code at pc, innermost first, and returns how many there are, which is at
 * least 1 if max is. The caller of a function is at its return address minus 1.
 */
unsigned symbols_at(struct symbols *symbols, uint64_t pc, struct frame *frames, unsigned max);

/* The modules, the main program first. */
const struct symbols_module *symbols_modules(const struct symbols *symbols, size_t *count);

/* Returns the module that pc is in, or NULL. */
const struct symbols_module *symbols_module_at(const struct symbols *symbols, uint64_t pc);

/*
 * The payload of a snapshot's SYMBOLS section for these addresses, which are as for symbols_at().
 * Returns whether everything could be written.
 */
bool symbols_write(struct symbols *symbols, const uint64_t *pcs, size_t count, FILE *file);

/*
 * The payload of a MODULES section: a line for each module, with tabs between its start, its end,
 * both in hexadecimal digits, its build-id, "-" if it is not known, and its path.
 */
bool symbols_write_modules(const struct symbols *symbols, FILE *file);

/*
 * Both payloads, for all addresses that the tables in the view name: stacks of a profile, of a
 * history, and of guarded chunks. With them a snapshot can be read on another machine.
 */
struct view;
bool symbols_write_view(struct view *view, FILE *symbols, FILE *modules);

/*
 * "function (file:line)", "function (in module)" or "module+0x1234": what the tables of ftm show.
 * Control characters become '?'. Returns the length of the whole text, as snprintf() does.
 */
size_t frame_text(const struct frame *frame, char *buffer, size_t size);

#endif
