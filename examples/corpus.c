/*
 * Reads files and directories into one growing buffer. Files that cannot be opened are skipped,
 * since a walk through a system's directories always meets some.
 */
#include "corpus.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>

enum { READ_SIZE = 64 * 1024 };

static int make_room(struct corpus *corpus)
{
    size_t capacity = corpus->capacity + corpus->capacity / 4 + READ_SIZE;
    char *text;

    if (corpus->capacity - corpus->length >= READ_SIZE)
        return 1;
    text = realloc(corpus->text, capacity);
    if (text == NULL)
        return 0;
    corpus->text = text;
    corpus->capacity = capacity;
    return 1;
}

static int add_file(struct corpus *corpus, const char *path, size_t limit)
{
    FILE *file = fopen(path, "r");
    size_t got = 1;

    if (file == NULL)
        return 1;
    while (got > 0 && corpus->length < limit) {
        if (!make_room(corpus)) {
            fclose(file);
            return 0;
        }
        got = fread(corpus->text + corpus->length, 1, READ_SIZE, file);
        corpus->length += got;
    }
    corpus->files++;
    fclose(file);
    return 1;
}

static int by_name(const FTSENT **left, const FTSENT **right)
{
    const char *a = (*left)->fts_name, *b = (*right)->fts_name;

    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int corpus_add(struct corpus *corpus, char *path, size_t limit)
{
    char *const paths[] = {path, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    FTSENT *entry;
    int done = 1;

    if (walk == NULL)
        return 0;
    while (done && corpus->length < limit && (entry = fts_read(walk)) != NULL)
        if (entry->fts_info == FTS_F)
            done = add_file(corpus, entry->fts_accpath, limit);
    fts_close(walk);
    return done;
}
