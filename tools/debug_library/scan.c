/*
 * scanf, sscanf and their relatives. If a chunk might be too small for what a conversion stores,
 * the conversion stores it elsewhere: a text of any length into memory that the C library
 * allocates, as for %ms, and a value into a variable. Then it is known what was stored, and it is
 * checked and put into the chunk. So nothing is reported of a width that is too large if the text
 * is short enough.
 */
#include "checked.h"
#include "real.h"
#include "scan_format.h"

#include <stdlib.h>
#include <string.h>

/* Calls with more arguments or longer formats are let pass. */
enum { ARGUMENTS = 32, FORMAT_MAX = 500 };

/* How the program called: before C99, %as allocates; C23 knows %b. */
enum style { OLD, C99, C23 };

struct scan {
    const char *function;
    enum style style;
    FILE *stream; /* NULL if a text is read */
    const char *text;
    const char *format;
    const void *caller;
};

/* A conversion that stores elsewhere. */
struct moved {
    struct scan_conversion is;
    int counted; /* how many counted conversions are in front of it */
    char *to;
    union {
        void *text; /* NULL as long as it was not stored */
        unsigned char value[16];
    } place;
};

struct plan {
    void *arguments[ARGUMENTS];
    struct moved moved[ARGUMENTS];
    unsigned moves;
    char format[FORMAT_MAX + ARGUMENTS + 1];
};

static int scan_as(const struct scan *scan, const char *format, va_list arguments)
{
    const struct real *is = real();
    int (*from_stream)(FILE *, const char *, va_list) =
        scan->style == OLD ? is->vfscanf : is->vfscanf_c99;
    int (*from_text)(const char *, const char *, va_list) =
        scan->style == OLD ? is->vsscanf : is->vsscanf_c99;

#if REAL_HAS_C23
    if (scan->style == C23) {
        from_stream = is->vfscanf_c23;
        from_text = is->vsscanf_c23;
    }
#endif
    return scan->stream == NULL ? from_text(scan->text, format, arguments)
                                : from_stream(scan->stream, format, arguments);
}

static int scan_to(const struct scan *scan, const char *format, ...)
{
    va_list arguments;
    int result;

    va_start(arguments, format);
    result = scan_as(scan, format, arguments);
    va_end(arguments);
    return result;
}

static bool is_text(const struct scan_conversion *conversion)
{
    return conversion->kind == SCAN_TEXT || conversion->kind == SCAN_UNITS;
}

/* Returns how many bytes the conversion may store. */
static size_t most(const struct scan_conversion *conversion)
{
    if (!is_text(conversion))
        return conversion->size;
    if (conversion->width == SIZE_MAX)
        return SIZE_MAX;
    return (conversion->width + (conversion->kind == SCAN_TEXT)) * conversion->size;
}

/* Returns which argument the conversion stores into; `next` counts those without a number. */
static unsigned argument_of(const struct scan_conversion *found, unsigned *next)
{
    return found->position == 0 ? (*next)++ : found->position - 1;
}

/*
 * Returns how many arguments the format has. Returns 0 if that is not known, if there are too many,
 * or if one is used twice.
 */
static unsigned count_arguments(const struct scan *scan)
{
    const char *format = scan->format;
    struct scan_conversion found;
    unsigned next = 0, count = 0, argument;
    uint32_t used = 0;
    int known;

    while ((known = scan_next(&format, scan->style == OLD, &found)) > 0) {
        if (found.suppressed)
            continue;
        argument = argument_of(&found, &next);
        if (argument >= ARGUMENTS || (used >> argument & 1) != 0)
            return 0;
        used |= UINT32_C(1) << argument;
        count = argument >= count ? argument + 1 : count;
    }
    return known < 0 ? 0 : count;
}

static void move(struct plan *plan, unsigned argument, const struct scan_conversion *found,
                 int counted)
{
    struct moved *moved = &plan->moved[plan->moves++];

    moved->is = *found;
    moved->counted = counted;
    moved->to = plan->arguments[argument];
    moved->place.text = NULL;
    if (found->kind == SCAN_COUNT) /* no count is negative */
        (void)real()->memset(moved->place.value, 0xff, sizeof moved->place.value);
    plan->arguments[argument] = &moved->place;
}

/* Appends the format from *copied to `end`, and returns the end of what was written. */
static char *append(char *to, const char **copied, const char *end)
{
    size_t bytes = (size_t)(end - *copied);

    (void)real()->memmove(to, *copied, bytes);
    *copied = end;
    return to + bytes;
}

/*
 * Moves the conversions that may be too large for their chunks, and writes the format for that,
 * which has one letter more for each text.
 */
static void make_plan(const struct scan *scan, struct plan *plan)
{
    const char *format = scan->format, *copied = format;
    struct scan_conversion found;
    char *to = plan->format;
    unsigned next = 0, argument;
    int counted = 0;

    while (scan_next(&format, scan->style == OLD, &found) > 0) {
        if (found.suppressed)
            continue;
        argument = argument_of(&found, &next);
        if (bounds_room(plan->arguments[argument]) < most(&found)) {
            move(plan, argument, &found, counted);
            if (is_text(&found)) {
                to = append(to, &copied, found.modifier);
                *to++ = 'm';
            }
        }
        counted += found.kind != SCAN_COUNT;
    }
    *append(to, &copied, format) = '\0';
}

static bool stored(const struct moved *moved, int result)
{
    bool any = false;

    if (moved->is.kind != SCAN_COUNT)
        return moved->counted < result;
    for (size_t n = 0; n < moved->is.size; n++)
        any = any || moved->place.value[n] != 0xff;
    return any;
}

/* Checks what was stored, and puts it where it belongs. */
static void put(const struct scan *scan, const struct moved *moved)
{
    const void *from = is_text(&moved->is) ? moved->place.text : moved->place.value;
    size_t bytes = moved->is.size;

    if (from == NULL)
        return;
    if (moved->is.kind == SCAN_TEXT)
        bytes *= 1 + (moved->is.size == 1 ? strlen(from) : wcslen(from));
    else if (moved->is.kind == SCAN_UNITS)
        bytes = bounds_room(from); /* what was allocated is as large as what was read */
    if (!bounds_hold(moved->to, bytes))
        checked_fail(scan->function, moved->to, bytes, true, scan->caller);
    (void)real()->memmove(moved->to, from, bytes);
}

/*
 * The text may have been allocated where a freed chunk was that it is to be stored in. Returns
 * false then, after it has freed and reported that chunk.
 */
static bool text_is_elsewhere(const struct scan *scan, const struct moved *moved)
{
    char *text = moved->place.text;
    size_t room = text == NULL ? 0 : bounds_room(text);

    if ((uintptr_t)moved->to - (uintptr_t)text >= room)
        return true;
    free(text);
    checked_fail(scan->function, moved->to, 1, true, scan->caller);
    return false;
}

static int follow(const struct scan *scan, struct plan *plan)
{
    void **to = plan->arguments;
    int result = scan_to(scan, plan->format, to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7],
                         to[8], to[9], to[10], to[11], to[12], to[13], to[14], to[15], to[16],
                         to[17], to[18], to[19], to[20], to[21], to[22], to[23], to[24], to[25],
                         to[26], to[27], to[28], to[29], to[30], to[31]);

    for (unsigned n = 0; n < plan->moves; n++) {
        const struct moved *moved = &plan->moved[n];

        if (is_text(&moved->is) && !text_is_elsewhere(scan, moved))
            continue;
        if (stored(moved, result))
            put(scan, moved);
        if (is_text(&moved->is))
            free(moved->place.text);
    }
    return result;
}

/* The C library looks for the end of the text before it reads it. */
static void check_source(const struct scan *scan)
{
    size_t room = bounds_room(scan->text);

    if (room != SIZE_MAX && strnlen(scan->text, room) == room)
        checked_fail(scan->function, scan->text, room + 1, false, scan->caller);
}

static int scan_all(const struct scan *scan, va_list arguments)
{
    struct plan plan;
    unsigned count = strlen(scan->format) > FORMAT_MAX ? 0 : count_arguments(scan);
    va_list copy;

    if (scan->stream == NULL)
        check_source(scan);
    va_copy(copy, arguments);
    for (unsigned n = 0; n < ARGUMENTS; n++)
        plan.arguments[n] = n < count ? va_arg(copy, void *) : NULL;
    va_end(copy);
    plan.moves = 0;
    if (count != 0)
        make_plan(scan, &plan);
    return plan.moves == 0 ? scan_as(scan, scan->format, arguments) : follow(scan, &plan);
}

#define SCAN(name, style, stream, text)                                                            \
    (&(const struct scan){name, style, stream, text, format, __builtin_return_address(0)})

/* Defines the functions whose names in the C library begin with `front`. */
#define FUNCTIONS(style, front)                                                                    \
    CHECKED_API int checked_vscanf_##style(const char *, va_list) CHECKED_NAME(front##vscanf);     \
    CHECKED_API int checked_vfscanf_##style(FILE *, const char *, va_list)                         \
        CHECKED_NAME(front##vfscanf);                                                              \
    CHECKED_API int checked_vsscanf_##style(const char *, const char *, va_list)                   \
        CHECKED_NAME(front##vsscanf);                                                              \
    CHECKED_API int checked_scanf_##style(const char *, ...) CHECKED_NAME(front##scanf);           \
    CHECKED_API int checked_fscanf_##style(FILE *, const char *, ...) CHECKED_NAME(front##fscanf); \
    CHECKED_API int checked_sscanf_##style(const char *, const char *, ...)                        \
        CHECKED_NAME(front##sscanf);                                                               \
                                                                                                   \
    int checked_vscanf_##style(const char *format, va_list arguments)                              \
    {                                                                                              \
        return scan_all(SCAN("vscanf()", style, stdin, NULL), arguments);                          \
    }                                                                                              \
                                                                                                   \
    int checked_vfscanf_##style(FILE *stream, const char *format, va_list arguments)               \
    {                                                                                              \
        return scan_all(SCAN("vfscanf()", style, stream, NULL), arguments);                        \
    }                                                                                              \
                                                                                                   \
    int checked_vsscanf_##style(const char *text, const char *format, va_list arguments)           \
    {                                                                                              \
        return scan_all(SCAN("vsscanf()", style, NULL, text), arguments);                          \
    }                                                                                              \
                                                                                                   \
    int checked_scanf_##style(const char *format, ...)                                             \
    {                                                                                              \
        va_list arguments;                                                                         \
        int result;                                                                                \
                                                                                                   \
        va_start(arguments, format);                                                               \
        result = scan_all(SCAN("scanf()", style, stdin, NULL), arguments);                         \
        va_end(arguments);                                                                         \
        return result;                                                                             \
    }                                                                                              \
                                                                                                   \
    int checked_fscanf_##style(FILE *stream, const char *format, ...)                              \
    {                                                                                              \
        va_list arguments;                                                                         \
        int result;                                                                                \
                                                                                                   \
        va_start(arguments, format);                                                               \
        result = scan_all(SCAN("fscanf()", style, stream, NULL), arguments);                       \
        va_end(arguments);                                                                         \
        return result;                                                                             \
    }                                                                                              \
                                                                                                   \
    int checked_sscanf_##style(const char *text, const char *format, ...)                          \
    {                                                                                              \
        va_list arguments;                                                                         \
        int result;                                                                                \
                                                                                                   \
        va_start(arguments, format);                                                               \
        result = scan_all(SCAN("sscanf()", style, NULL, text), arguments);                         \
        va_end(arguments);                                                                         \
        return result;                                                                             \
    }

FUNCTIONS(OLD, )
FUNCTIONS(C99, __isoc99_)
#if REAL_HAS_C23
FUNCTIONS(C23, __isoc23_)
#endif
