/*
 * Arguments that several commands take.
 */
#include "options.h"

#include "command.h"
#include "source.h"
#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool target_open(const char *name, struct target *target)
{
    target->view = NULL;
    target->source = source_open(name);
    if (target->source != NULL)
        target->view = view_open(target->source);
    if (target->view != NULL)
        return true;
    source_close(target->source);
    target->source = NULL;
    return false;
}

void target_close(struct target *target)
{
    view_close(target->view);
    source_close(target->source);
}

void warn_unread(struct view *view)
{
    size_t count = view_unread(view);

    if (count == 0)
        return;
    if (source_kind(view_source(view)) == SOURCE_LIVE)
        say("process %s ended, or changed its mappings, while it was read; %zu part%s missing",
            source_name(view_source(view)), count, count == 1 ? " is" : "s are");
    else
        say("%s is not complete: %zu part%s of the heap %s missing", source_name(view_source(view)),
            count, count == 1 ? "" : "s", count == 1 ? "is" : "are");
}

static bool parse_digits(const char *text, int base, const char **end, uint64_t *value)
{
    char *stop;

    if (!(*text >= '0' && *text <= '9') &&
        !(base == 16 && ((*text | 32) >= 'a' && (*text | 32) <= 'f')))
        return false;
    errno = 0;
    *value = strtoull(text, &stop, base);
    *end = stop;
    return errno == 0;
}

bool parse_number(const char *text, uint64_t *value)
{
    const char *end;

    return parse_digits(text, 10, &end, value) && *end == '\0';
}

bool parse_size(const char *text, uint64_t *value)
{
    static const char units[] = "KMGT";
    const char *end, *unit;
    unsigned shift;

    if (!parse_digits(text, 10, &end, value))
        return false;
    if (*end == '\0')
        return true;
    unit = strchr(units, *end >= 'a' ? *end - 32 : *end);
    if (unit == NULL || (end[1] != '\0' && strcmp(end + 1, "iB") != 0 && strcmp(end + 1, "B") != 0))
        return false;
    shift = 10 * (unsigned)(unit - units + 1);
    if (*value > UINT64_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

bool parse_address_until(const char *text, const char *end, uint64_t *value)
{
    const char *stop;

    return parse_digits(text, 16, &stop, value) && stop == end;
}

bool parse_address(const char *text, uint64_t *value)
{
    return parse_address_until(text, text + strlen(text), value);
}
