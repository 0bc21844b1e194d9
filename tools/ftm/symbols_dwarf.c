/*
 * Reads functions, inlined calls and lines by libdw. The scopes around an address tell which
 * functions its code was inlined into, and where each of these calls is in the source.
 */
#include "symbols_dwarf.h"

#include "memory.h"
#include "symbols_own.h"
#include "symbols_table.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

/* From libstdc++; there is no C header for it. */
char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status);

/* Old Rust names are C++ names that end in a hash: "name::h0123456789abcdef". */
static void cut_rust_hash(char *name)
{
    size_t length = strlen(name);

    if (length > 19 && strncmp(name + length - 19, "::h", 3) == 0 &&
        strspn(name + length - 16, "0123456789abcdef") == 16)
        name[length - 19] = '\0';
}

char *symbols_demangle(const char *linkage)
{
    int status = 0;
    char *name;

    if (strncmp(linkage, "_Z", 2) != 0 && strncmp(linkage, "___Z", 4) != 0)
        return NULL;
    name = __cxa_demangle(linkage, NULL, NULL, &status);
    if (name != NULL)
        cut_rust_hash(name);
    return name;
}

static const char *keep(struct names *names, const char *text)
{
    return text == NULL ? NULL : names_keep(names, text, strlen(text));
}

/* Names the function by its linkage name, or by its plain name if that says nothing to people. */
static void name_function(struct frame *frame, const char *linkage, const char *plain,
                          struct names *names)
{
    char *demangled = linkage == NULL ? NULL : symbols_demangle(linkage);

    frame->linkage = keep(names, linkage);
    frame->function = keep(names, demangled != NULL ? demangled : plain != NULL ? plain : linkage);
    free(demangled);
}

static void name_by_symbol(Dwfl_Module *module, uint64_t pc, struct names *names,
                           struct frame *frame)
{
    const char *name = symbols_table_name(module, pc);

    if (name != NULL && *name != '\0')
        name_function(frame, name, NULL, names);
}

static void name_by_die(Dwarf_Die *die, struct names *names, struct frame *frame)
{
    Dwarf_Attribute attribute;
    const char *linkage =
        dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));

    if (linkage == NULL)
        linkage = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute));
    name_function(frame, linkage, dwarf_diename(die), names);
}

static void find_line(Dwfl_Module *module, uint64_t pc, struct names *names, struct frame *frame)
{
    Dwfl_Line *line = dwfl_module_getsrc(module, pc);
    int number = 0;
    const char *file = line == NULL ? NULL : dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);

    frame->file = keep(names, file);
    frame->line = file != NULL && number > 0 ? (unsigned)number : 0;
}

/* Where the inlined function was called: in the frame of the function around it. */
static void find_call(Dwarf_Die *unit, Dwarf_Die *inlined, struct names *names, struct frame *frame)
{
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files;
    size_t count;

    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) == 0)
        frame->line = (unsigned)line;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) == 0 &&
        dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count)
        frame->file = keep(names, dwarf_filesrc(files, file, NULL, NULL));
}

/* The scopes around the address, from the innermost to the unit. Returns how many, or 0. */
static int find_scopes(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes)
{
    Dwarf_Die *inner = NULL;
    int count = dwarf_getscopes(unit, address, &inner);

    *scopes = NULL;
    /*
     * Beyond an inlined function these are the scopes of its definition. The second call returns
     * those of the place that it is inlined into.
     */
    if (count > 0)
        count = dwarf_getscopes_die(&inner[0], scopes);
    free(inner);
    return count > 0 ? count : 0;
}

static unsigned frames_of_scopes(Dwarf_Die *unit, Dwarf_Die *scopes, int count, struct names *names,
                                 struct frame *frames, unsigned max)
{
    unsigned filled = 0;

    for (int i = 0; i < count && filled < max; i++) {
        int tag = dwarf_tag(&scopes[i]);

        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram &&
            tag != DW_TAG_entry_point)
            continue;
        name_by_die(&scopes[i], names, &frames[filled]);
        filled++;
        if (tag != DW_TAG_inlined_subroutine || filled == max)
            break;
        frames[filled - 1].inlined = true;
        frames[filled] = (struct frame){0};
        find_call(unit, &scopes[i], names, &frames[filled]);
    }
    return filled;
}

unsigned dwarf_frames(Dwfl_Module *module, uint64_t pc, struct names *names, struct frame *frames,
                      unsigned max)
{
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = module == NULL ? NULL : dwfl_module_addrdie(module, pc, &bias);
    Dwarf_Die *scopes = NULL;
    unsigned filled = 0;

    if (max == 0)
        return 0;
    frames[0] = (struct frame){0};
    if (module == NULL)
        return 1;
    find_line(module, pc, names, &frames[0]);
    if (unit != NULL) {
        int count = find_scopes(unit, pc - bias, &scopes);

        filled = frames_of_scopes(unit, scopes, count, names, frames, max);
        free(scopes);
    }
    if (filled == 0)
        filled = 1;
    if (frames[filled - 1].function == NULL)
        name_by_symbol(module, pc, names, &frames[filled - 1]);
    return filled;
}
