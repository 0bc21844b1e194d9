/*
 * Folded stacks: "outermost;caller;innermost 128", each stack once, in the order of the text.
 * Readers split at semicolons and at the last space, and take a number behind a space for the
 * first of two counts, so such characters in names are replaced.
 */
#include "export.h"
#include "memory.h"
#include "progress.h"
#include "symbols.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 1024 };

static void clean(char *name)
{
    char *last = strrchr(name, ' ');

    utf8_clean(name);
    for (char *c = name; *c != '\0'; c++)
        if (*c == ';')
            *c = ':';
        else if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    /* "foo 12" would be read as foo with 12 of something. */
    if (last != NULL && strspn(last + 1, "0123456789.") == strlen(last + 1))
        *last = '_';
    if (name[0] == '#')
        name[0] = '_';
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* Functions without lines, so that all lines of a function are one box in a flame graph. */
static void name_of(const struct frame *frame, char *name)
{
    if (frame->function != NULL)
        snprintf(name, NAME_MAX_BYTES, "%s", frame->function);
    else if (frame->module != NULL)
        snprintf(name, NAME_MAX_BYTES, "[%s]", last_part(frame->module));
    else
        snprintf(name, NAME_MAX_BYTES, "0x%" PRIx64, frame->address);
    clean(name);
}

static char *folded_text(const struct site *site, struct symbols *symbols)
{
    struct frame *frames;
    unsigned count = site_frames(site, symbols, &frames);
    char name[NAME_MAX_BYTES], *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL)
        return memory_text(site_unknown, strlen(site_unknown));
    if (site->truncated || count == 0)
        fputs(count == 0 ? site_unknown : "(truncated);", stream);
    for (unsigned i = count; i > 0; i--) {
        name_of(&frames[i - 1], name);
        fprintf(stream, "%s%s", name, i > 1 ? ";" : "");
    }
    fclose(stream);
    free(frames);
    return text;
}

static int compare_keys(const void *one, const void *other)
{
    const struct group *a = one, *b = other;

    return strcmp(a->key, b->key);
}

static uint64_t value_of(const struct export *export, const struct site *site)
{
    return export->count ? site_count(site, export->value) : site_bytes(site, export->value);
}

bool export_folded(const struct export *export, FILE *file)
{
    struct groups *groups = groups_new();
    struct progress progress;
    double total = 0;

    progress_begin(&progress, "writing folded stacks", export->sites->count);
    for (size_t i = 0; i < export->sites->count; i++) {
        const struct site *site = &export->sites->items[i];
        char *text;

        progress_step(&progress, i + 1);
        if (value_of(export, site) == 0)
            continue;
        total += (double)value_of(export, site);
        text = folded_text(site, export->symbols);
        group_add(groups_at(groups, text), site, export->value);
        free(text);
    }
    progress_end(&progress);
    if (groups->count > 0)
        qsort(groups->items, groups->count, sizeof(*groups->items), compare_keys);
    for (size_t i = 0; i < groups->count; i++) {
        uint64_t value = value_of(export, &groups->items[i].sum);

        if (100.0 * (double)value >= export->min_percent * total)
            fprintf(file, "%s %" PRIu64 "\n", groups->items[i].key, value);
    }
    groups_free(groups);
    return ferror(file) == 0;
}
