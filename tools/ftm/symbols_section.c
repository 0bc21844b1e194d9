/*
 * The SYMBOLS section of a snapshot is text: one line for each frame, with tabs between
 *   address (hexadecimal), "i" if inlined or "-", line, function, linkage name, file, module,
 *   offset in the module (hexadecimal)
 * The lines of an address follow each other, innermost first. An empty field is not known. In
 * fields, a backslash stands before t, n and itself. The MODULES section has lines of the same
 * kind, described in symbols.h.
 */
#include "memory.h"
#include "search.h"
#include "symbols_own.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIELD_ADDRESS,
    FIELD_INLINED,
    FIELD_LINE,
    FIELD_FUNCTION,
    FIELD_LINKAGE,
    FIELD_FILE,
    FIELD_MODULE,
    FIELD_OFFSET,
    FIELDS
};

struct section_line {
    struct frame frame;
    size_t order;
};

struct section_symbols {
    struct section_line *lines;
    size_t count, room;
};

static void write_field(FILE *file, const char *text)
{
    fputc('\t', file);
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '\t')
            fputs("\\t", file);
        else if (*text == '\n')
            fputs("\\n", file);
        else if (*text == '\\')
            fputs("\\\\", file);
        else
            fputc(*text, file);
    }
}

bool section_write(FILE *file, const struct frame *frames, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const struct frame *frame = &frames[i];

        fprintf(file, "%" PRIx64 "\t%c\t%u", frame->address, frame->inlined ? 'i' : '-',
                frame->line);
        write_field(file, frame->function);
        write_field(file, frame->linkage);
        write_field(file, frame->file);
        write_field(file, frame->module);
        fprintf(file, "\t%" PRIx64 "\n", frame->offset);
    }
    return ferror(file) == 0;
}

/* Undoes what write_field() did, in place. */
static char *read_field(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '\\' && from[1] != '\0') {
            from++;
            *to = *from;
            if (*from == 't')
                *to = '\t';
            else if (*from == 'n')
                *to = '\n';
            to++;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return text;
}

static const char *kept(struct names *names, char *field)
{
    return *field == '\0' ? NULL : names_keep(names, read_field(field), strlen(field));
}

static void add_line(struct section_symbols *section, char *line, struct names *names)
{
    struct section_line new = {.order = section->count};
    char *fields[FIELDS], *end;

    for (int i = 0; i < FIELDS; i++) {
        fields[i] = strsep(&line, "\t");
        if (fields[i] == NULL)
            return;
    }
    new.frame.address = strtoull(fields[FIELD_ADDRESS], &end, 16);
    if (end == fields[FIELD_ADDRESS] || *end != '\0')
        return;
    new.frame.inlined = *fields[FIELD_INLINED] == 'i';
    new.frame.line = (unsigned)strtoul(fields[FIELD_LINE], NULL, 10);
    new.frame.function = kept(names, fields[FIELD_FUNCTION]);
    new.frame.linkage = kept(names, fields[FIELD_LINKAGE]);
    new.frame.file = kept(names, fields[FIELD_FILE]);
    new.frame.module = kept(names, fields[FIELD_MODULE]);
    new.frame.offset = strtoull(fields[FIELD_OFFSET], NULL, 16);
    section->lines =
        memory_grow(section->lines, &section->room, section->count, sizeof(*section->lines));
    section->lines[section->count++] = new;
}

static int compare_lines(const void *one, const void *other)
{
    const struct section_line *a = one, *b = other;

    if (a->frame.address != b->frame.address)
        return a->frame.address < b->frame.address ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

struct section_symbols *section_symbols_open(const char *text, size_t size, struct names *names)
{
    struct section_symbols *section = memory_new(1, sizeof(*section));
    const char *end = text + size;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline == NULL ? end : newline;
        char *line = memory_text(text, (size_t)(stop - text));

        add_line(section, line, names);
        free(line);
        text = stop + 1;
    }
    if (section->count > 0)
        qsort(section->lines, section->count, sizeof(*section->lines), compare_lines);
    return section;
}

void section_symbols_close(struct section_symbols *section)
{
    if (section == NULL)
        return;
    free(section->lines);
    free(section);
}

unsigned section_symbols_at(const struct section_symbols *section, uint64_t pc,
                            struct frame *frames, unsigned max)
{
    size_t low =
        section == NULL ? 0 : SEARCH_FROM(section->lines, section->count, frame.address, pc);
    unsigned count = 0;

    while (section != NULL && count < max && low < section->count &&
           section->lines[low].frame.address == pc)
        frames[count++] = section->lines[low++].frame;
    return count;
}

bool section_write_module(FILE *file, const struct symbols_module *module)
{
    fprintf(file, "%" PRIx64 "\t%" PRIx64 "\t%s", module->start, module->end,
            module->build_id == NULL ? "-" : module->build_id);
    write_field(file, module->path);
    fputc('\n', file);
    return ferror(file) == 0;
}

static bool read_module(char *line, struct module_line *module)
{
    char *fields[4], *end;

    for (int i = 0; i < 4; i++) {
        fields[i] = strsep(&line, "\t");
        if (fields[i] == NULL)
            return false;
    }
    module->start = strtoull(fields[0], &end, 16);
    if (end == fields[0] || *end != '\0')
        return false;
    module->end = strtoull(fields[1], &end, 16);
    module->build_id = strcmp(fields[2], "-") == 0 ? "" : fields[2];
    module->path = read_field(fields[3]);
    return end != fields[1] && *end == '\0' && module->end > module->start;
}

void section_each_module(const char *text, size_t size,
                         void (*visit)(void *context, const struct module_line *line),
                         void *context)
{
    const char *end = text + size;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline == NULL ? end : newline;
        char *line = memory_text(text, (size_t)(stop - text));
        struct module_line module;

        if (read_module(line, &module))
            visit(context, &module);
        free(line);
        text = stop + 1;
    }
}
