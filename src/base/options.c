/*
 * Options: a table of names and of the values that each accepts. Must not allocate; may run before
 * the C library's own constructors.
 */
#include "base/options.h"

#include "base/modes.h"
#include "base/secret.h"
#include "base/text.h"
#include "os/os.h"

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

struct options options;

/* Each of these sets an option and returns true, or returns false and leaves it as it was. */
static bool set_on_error(const char *value);
static bool set_on_wrong_size(const char *value);
static bool set_stats(const char *value);
static bool set_harden(const char *value);
static bool set_arena_max(const char *value);
static bool set_background(const char *value);
static bool set_dump(const char *value);

static const struct {
    const char *name;
    const char *expected;
    bool (*set)(const char *value);
} table[] = {
    {"FT_MALLOC_ON_ERROR", "abort or report", set_on_error},
    {"FT_MALLOC_ON_WRONG_SIZE", "abort, report or ignore", set_on_wrong_size},
    {"FT_MALLOC_STATS", "0 or 1", set_stats},
    {"FT_MALLOC_HARDEN", "0 or 1", set_harden},
    {"FT_MALLOC_ARENA_MAX", "a number from 1 to 32766", set_arena_max},
    {"FT_MALLOC_BACKGROUND", "0 or 1", set_background},
    {"FT_MALLOC_DUMP", "a descriptor such as 9, 9,exit or 9,exit,USR1", set_dump},
};

/* Returns what comes after `prefix` in `text`, or NULL if `text` does not begin with it. */
static const char *after_prefix(const char *text, const char *prefix)
{
    while (*prefix != '\0')
        if (*text++ != *prefix++)
            return NULL;
    return text;
}

static bool set_bool(bool *option, const char *value, const char *off, const char *on)
{
    if (!text_equal(value, off) && !text_equal(value, on))
        return false;
    *option = text_equal(value, on);
    return true;
}

static bool set_on_error(const char *value)
{
    return set_bool(&options.report_only, value, "abort", "report");
}

static bool set_on_wrong_size(const char *value)
{
    if (text_equal(value, "abort"))
        options.on_wrong_size = WRONG_SIZE_ABORT;
    else if (text_equal(value, "report"))
        options.on_wrong_size = WRONG_SIZE_REPORT;
    else if (text_equal(value, "ignore"))
        options.on_wrong_size = WRONG_SIZE_IGNORE;
    else
        return false;
    return true;
}

static bool set_stats(const char *value)
{
    bool on = false;

    if (!set_bool(&on, value, "0", "1"))
        return false;
    /* relaxed: no other thread knows yet that the options are set */
    atomic_store_explicit(&modes_on, on ? MODE_STATS : 0, memory_order_relaxed);
    return true;
}

static bool set_harden(const char *value)
{
    return set_bool(&options.harden, value, "0", "1");
}

static bool set_arena_max(const char *value)
{
    unsigned number = 0;

    for (const char *at = value; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || number > 100000)
            return false;
        number = number * 10 + (unsigned)(*at - '0');
    }
    if (number < 1 || number > 32766)
        return false;
    options.arena_max = number;
    return true;
}

static bool set_background(const char *value)
{
    return set_bool(&options.background, value, "0", "1");
}

/* Returns what comes after the signal's name or number. */
static const char *after_signal(const char *text)
{
    while ((*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9'))
        text++;
    return text;
}

/* Without an exit or a signal, it is written at exit. */
static bool set_dump(const char *value)
{
    enum { DESCRIPTOR_MAX = 1 << 20 };
    unsigned descriptor = 0;
    const char *at = value, *rest, *end;

    for (; *at >= '0' && *at <= '9' && descriptor <= DESCRIPTOR_MAX; at++)
        descriptor = descriptor * 10 + (unsigned)(*at - '0');
    if (at == value || descriptor > DESCRIPTOR_MAX)
        return false;
    rest = after_prefix(at, ",exit");
    end = rest != NULL ? rest : at;
    if (*end == ',' && after_signal(end + 1) != end + 1)
        end = after_signal(end + 1);
    if (*end != '\0')
        return false;
    options.dump = descriptor + 1;
    options.dump_at_exit = rest != NULL || *at == '\0';
    return true;
}

static void complain(const char *variable, const char *why, const char *expected)
{
    struct text text = {.fd = STDERR_FILENO};

    text_string(&text, "ft_malloc: option ");
    text_string(&text, variable);
    text_string(&text, why);
    text_string(&text, expected);
    text_string(&text, "\n");
    text_flush(&text);
}

static void set_option(const char *variable)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *rest = after_prefix(variable, table[i].name);

        if (rest != NULL && *rest == '=') {
            if (!table[i].set(rest + 1))
                complain(variable, " ignored: expected ", table[i].expected);
            return;
        }
    }
    complain(variable, " is not known", "");
}

void options_load(char **initial)
{
    static bool loaded;

    if (loaded || initial == NULL)
        return;
    loaded = true;
    if (os_auxiliary(initial, AT_SECURE) != 0)
        return;
    for (char **variable = initial; *variable != NULL; variable++)
        if (after_prefix(*variable, "FT_MALLOC_") != NULL)
            set_option(*variable);
    /* Chunks that were handed out before this moment have no canaries. */
    if (options.harden && os_counted().mmap > 0) {
        options.harden = false;
        complain("FT_MALLOC_HARDEN", " ignored: memory was allocated before it could be read", "");
    }
}
