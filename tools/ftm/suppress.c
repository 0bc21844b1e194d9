/*
 * The lines of a suppression file, and what a pattern matches.
 */
#include "suppress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Returns whether the name begins with a pattern without anchors; with `whole`, whether it is
 * exactly that. When a letter does not fit, the last `*` takes one letter more, so the time is
 * bounded by the product of the lengths.
 */
static bool begins(const char *pattern, size_t length, const char *name, bool whole)
{
    const char *end = pattern + length, *star = NULL, *retry = NULL;

    for (;;) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            retry = name;
        } else if (pattern == end && (!whole || *name == '\0')) {
            return true;
        } else if (pattern < end && *name != '\0' && *pattern == *name) {
            pattern++;
            name++;
        } else {
            if (star == NULL || *retry == '\0')
                return false;
            pattern = star;
            name = ++retry;
        }
    }
}

bool suppression_matches(const char *pattern, const char *name)
{
    size_t length = strlen(pattern);
    bool at_start = length > 0 && pattern[0] == '^';
    bool at_end;

    pattern += at_start;
    length -= at_start;
    at_end = length > 0 && pattern[length - 1] == '$';
    length -= at_end;
    if (at_start)
        return begins(pattern, length, name, at_end);
    for (;; name++) {
        if (begins(pattern, length, name, at_end))
            return true;
        if (*name == '\0')
            return false;
    }
}

struct suppression *suppressions_match(const struct suppressions *suppressions, const char *name)
{
    if (name == NULL)
        return NULL;
    for (size_t i = 0; i < suppressions->count; i++)
        if (suppression_matches(suppressions->list[i].pattern, name))
            return &suppressions->list[i];
    return NULL;
}

static bool add(struct suppressions *suppressions, const char *pattern)
{
    struct suppression *larger =
        realloc(suppressions->list, (suppressions->count + 1) * sizeof *larger);

    if (larger == NULL)
        return false;
    suppressions->list = larger;
    larger[suppressions->count] = (struct suppression){.pattern = strdup(pattern)};
    if (larger[suppressions->count].pattern == NULL)
        return false;
    suppressions->count++;
    return true;
}

/* Removes blanks from both ends, also the carriage return of files from elsewhere. */
static char *trimmed(char *line)
{
    size_t length;

    line += strspn(line, " \t");
    length = strlen(line);
    while (length > 0 && strchr(" \t\r\n", line[length - 1]) != NULL)
        line[--length] = '\0';
    return line;
}

/* Returns what is wrong with the line, or NULL. */
static const char *add_line(struct suppressions *suppressions, char *line)
{
    static const char kind[] = "leak:";

    line = trimmed(line);
    if (*line == '\0' || *line == '#')
        return NULL;
    if (strncmp(line, kind, sizeof kind - 1) != 0)
        return "a line is \"leak:PATTERN\" or begins with #";
    if (line[sizeof kind - 1] == '\0')
        return "the pattern is empty";
    return add(suppressions, line + sizeof kind - 1) ? NULL : "no memory";
}

bool suppressions_read(struct suppressions *suppressions, const char *path, FILE *errors)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0, number = 0;
    const char *wrong = NULL;

    if (file == NULL) {
        fprintf(errors, "ftm: %s: %s\n", path, strerror(errno));
        return false;
    }
    while (wrong == NULL && getline(&line, &room, file) >= 0) {
        number++;
        wrong = add_line(suppressions, line);
    }
    if (wrong == NULL && ferror(file))
        wrong = strerror(errno);
    if (wrong != NULL)
        fprintf(errors, "ftm: %s:%zu: %s\n", path, number, wrong);
    free(line);
    fclose(file);
    return wrong == NULL;
}

void suppressions_free(struct suppressions *suppressions)
{
    for (size_t i = 0; i < suppressions->count; i++)
        free(suppressions->list[i].pattern);
    free(suppressions->list);
    *suppressions = (struct suppressions){.list = NULL};
}
