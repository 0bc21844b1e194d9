/*
 * Options: a table of names and of the values that each accepts. Must not allocate; may run before
 * the C library's own constructors. The table has no pointers, which the dynamic linker would have
 * to relocate at each start.
 */
#include "base/options.h"

#include "base/option_values.h"
#include "base/secret.h"
#include "base/text.h"
#include "os/os.h"

#include <elf.h>
#include <stddef.h>
#include <unistd.h>

OS_TOUCHED struct options options;

enum { NAME_MAX_LENGTH = 24, EXPECTED_MAX = 56 };

/* In the order of enum option. */
static const struct {
    char name[NAME_MAX_LENGTH];
    char expected[EXPECTED_MAX];
    unsigned mode; /* 0: it is none */
} table[OPTIONS] = {
    {"FT_MALLOC_ON_ERROR", "abort or report", NO_MODE},
    {"FT_MALLOC_ON_WRONG_SIZE", "abort, report or ignore", NO_MODE},
    {"FT_MALLOC_HARDEN", "0 or 1", NO_MODE},
    {"FT_MALLOC_ARENA_MAX", "a number from 1 to 32766", NO_MODE},
    {"FT_MALLOC_BACKGROUND", "0 or 1", NO_MODE},
    {"FT_MALLOC_DUMP", "a descriptor such as 9, 9,exit or 9,exit,USR1", NO_MODE},
    {"FT_MALLOC_STATS", "0, 1 or json", MODE_STATS},
    {"FT_MALLOC_HISTORY", "0, or calls[,depth] such as 1000 or 1000,8", MODE_HISTORY},
    {"FT_MALLOC_PROFILE", "0, or bytes[,seed] such as 512K or 1M,7", MODE_PROFILE},
    {"FT_MALLOC_RECORD", "0 or 1", MODE_RECORD},
    {"FT_MALLOC_GUARD", "0, or one in N[,seed] such as 1000 or 100,7", MODE_GUARD},
    {"FT_MALLOC_FILL", "0, or two bytes in hexadecimal such as AA,DD", MODE_FILL},
    {"FT_MALLOC_CHECK", "0, or each N-th call such as 100", MODE_CHECK},
    {"FT_MALLOC_LIMIT", "0, or bytes such as 1000000 or 256M", MODE_LIMIT},
    {"FT_MALLOC_FAIL", "0, or the K-th call or seed,1/N such as 3 or 7,1/100", MODE_FAIL},
};

static const char prefix[] = "FT_MALLOC_";
enum { PREFIX_LENGTH = sizeof prefix - 1 };

/* What each option was set to. Written before there is a second thread, or with the modes' lock. */
static char texts[OPTIONS][OPTION_TEXT_MAX + 1];

const char *option_name(enum option option)
{
    return table[option].name;
}

const char *option_expected(enum option option)
{
    return table[option].expected;
}

unsigned option_mode(enum option option)
{
    return table[option].mode;
}

const char *option_text(enum option option)
{
    if (texts[option][0] != '\0')
        return texts[option];
    switch (option) {
    case OPTION_ON_ERROR:
        return "abort";
    case OPTION_ON_WRONG_SIZE:
        return "unset";
    default:
        return "0";
    }
}

static bool same_letter(char one, char other)
{
    return value_capital(one) == value_capital(other);
}

static bool begins_with(const char *name, size_t length, const char *begin, size_t count)
{
    if (length < count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!same_letter(name[i], begin[i]))
            return false;
    return true;
}

/* Returns what is behind the prefix, if that is there. */
static const char *without_prefix(const char *name, size_t *length)
{
    if (!begins_with(name, *length, prefix, PREFIX_LENGTH))
        return name;
    *length -= PREFIX_LENGTH;
    return name + PREFIX_LENGTH;
}

enum option option_find(const char *name, size_t length)
{
    const char *rest = without_prefix(name, &length);

    for (unsigned i = 0; i < OPTIONS; i++) {
        const char *known = table[i].name + PREFIX_LENGTH;

        if (begins_with(rest, length, known, length) && known[length] == '\0')
            return (enum option)i;
    }
    return OPTIONS;
}

/* A name is near if at most a third of its letters differ, or if it begins or is begun by it. */
enum option option_nearest(const char *name, size_t length)
{
    const char *rest = without_prefix(name, &length);
    unsigned nearest = 1 + (unsigned)length / 3;
    enum option found = OPTIONS;

    for (unsigned i = 0; length > 0 && length <= VALUE_DISTANCE_MAX && i < OPTIONS; i++) {
        unsigned distance = value_distance(rest, (unsigned)length, table[i].name + PREFIX_LENGTH);

        if (distance < nearest || (distance == nearest && found == OPTIONS)) {
            nearest = distance;
            found = (enum option)i;
        }
    }
    return found;
}

static void store(enum option option, const struct option_value *value)
{
    switch (option) {
    case OPTION_ON_ERROR:
        /* relaxed, here and below: see options.h */
        atomic_store_explicit(&options.report_only, value->on, memory_order_relaxed);
        break;
    case OPTION_ON_WRONG_SIZE:
        atomic_store_explicit(&options.on_wrong_size, (int)value->number[0], memory_order_relaxed);
        break;
    case OPTION_HARDEN:
        options.harden = value->on;
        break;
    case OPTION_ARENA_MAX:
        options.arena_max = (unsigned)value->number[0];
        break;
    case OPTION_BACKGROUND:
        options.background = value->on;
        break;
    case OPTION_DUMP:
        options.dump = (unsigned)value->number[0];
        options.dump_at_exit = value->number[1] != 0;
        break;
    default: /* relaxed: see mode_numbers */
        for (unsigned n = 0; n < MODE_NUMBERS; n++)
            atomic_store_explicit(&mode_numbers[mode_index(table[option].mode)][n],
                                  value->number[n], memory_order_relaxed);
    }
}

void option_store(enum option option, const char *text, const struct option_value *value)
{
    unsigned length = 0;

    for (; text[length] != '\0' && length < OPTION_TEXT_MAX; length++)
        texts[option][length] = text[length];
    texts[option][length] = '\0';
    store(option, value);
}

bool option_text_fits(const char *text)
{
    unsigned length = 0;

    while (length <= OPTION_TEXT_MAX && text[length] != '\0')
        length++;
    return length <= OPTION_TEXT_MAX;
}

/* Compares the first letters. `text` may be shorter. */
static bool exactly(const char *text, const char *expected, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != expected[i])
            return false;
    return true;
}

static void complain(const char *variable, const char *why, const char *what, const char *end)
{
    struct text text = {.fd = STDERR_FILENO};

    text_string(&text, "ft_malloc: option ");
    text_string(&text, variable);
    text_string(&text, why);
    text_string(&text, what);
    text_string(&text, end);
    text_flush(&text);
}

static void complain_of_name(const char *variable, size_t length)
{
    enum option nearest = option_nearest(variable, length);

    if (nearest < OPTIONS)
        complain(variable, " is not known, did you mean ", option_name(nearest), "?\n");
    else
        complain(variable, " is not known", "", "\n");
}

/* The name has to be exact: the environment may have variables of others with similar names. */
static void set_option(const char *variable)
{
    size_t length = 0;
    enum option option;
    struct option_value value;

    while (variable[length] != '=' && variable[length] != '\0')
        length++;
    option = option_find(variable, length);
    if (option == OPTIONS || !exactly(variable, option_name(option), length)) {
        complain_of_name(variable, length);
    } else if (variable[length] == '\0' || !option_text_fits(variable + length + 1) ||
               !option_parse(option, variable + length + 1, &value)) {
        complain(variable, " ignored: expected ", option_expected(option), "\n");
    } else {
        option_store(option, variable + length + 1, &value);
        if (value.on)
            options.modes |= option_mode(option);
        else
            options.modes &= ~option_mode(option);
    }
}

/* Of these, the first call that a mode wants to see begins the others: see debug/mode_switch.h. */
static void begin_modes(void)
{
    unsigned later = options.modes & MODES_WITH_TABLES;

    /* relaxed: no other thread knows yet that the options are set */
    atomic_store_explicit(&modes_on, (options.modes & ~later) | (later != 0 ? MODES_WAIT : 0),
                          memory_order_relaxed);
}

void options_load(char **initial)
{
    OS_TOUCHED static bool loaded;

    if (loaded || initial == NULL)
        return;
    loaded = true;
    if (os_auxiliary(initial, AT_SECURE) != 0)
        return;
    for (char **variable = initial; *variable != NULL; variable++)
        if (exactly(*variable, prefix, PREFIX_LENGTH))
            set_option(*variable);
    if (options.modes != 0)
        begin_modes();
    /* Chunks that were handed out before this moment have no canaries. */
    if (options.harden && os_counted().mmap > 0) {
        options.harden = false;
        complain("FT_MALLOC_HARDEN", " ignored: memory was allocated before it could be read", "",
                 "\n");
    }
}
