/*
 * Which values each option accepts. docs/OPTIONS.md says what they mean.
 */
#include "base/caller.h"
#include "base/option_values.h"
#include "base/options.h"
#include "base/text.h"

/* The most calls of a history (debug/history.h), and the greatest mean of a profile. */
enum { HISTORY_MOST = 1 << 20, PROFILE_MOST = 1 << 30 };

static bool parse_switch(const char *value, const char *off, const char *on,
                         struct option_value *out)
{
    out->on = text_equal(value, on);
    out->number[0] = out->on;
    return out->on || text_equal(value, off);
}

static bool parse_wrong_size(const char *value, struct option_value *out)
{
    if (text_equal(value, "abort"))
        out->number[0] = WRONG_SIZE_ABORT;
    else if (text_equal(value, "report"))
        out->number[0] = WRONG_SIZE_REPORT;
    else if (text_equal(value, "ignore"))
        out->number[0] = WRONG_SIZE_IGNORE;
    else
        return false;
    return true;
}

static bool parse_arena_max(const char *value, struct option_value *out)
{
    return value_number(&value, &out->number[0]) && *value == '\0' && out->number[0] >= 1 &&
           out->number[0] <= 32766;
}

static bool parse_stats(const char *value, struct option_value *out)
{
    if (!text_equal(value, "json"))
        return parse_switch(value, "0", "1", out);
    out->on = true;
    out->number[0] = STATS_JSON;
    return true;
}

/* "0", or a number up to `most` and perhaps, behind a comma, another one up to `second_most`. */
static bool parse_numbers(const char *value, bool (*read)(const char **at, uint64_t *number),
                          uint64_t most, uint64_t second_most, struct option_value *out)
{
    if (!read(&value, &out->number[0]) || out->number[0] > most)
        return false;
    if (second_most > 0 && value_character(&value, ',') &&
        (!value_number(&value, &out->number[1]) || out->number[1] > second_most))
        return false;
    out->on = out->number[0] != 0;
    return *value == '\0';
}

static bool parse_fill(const char *value, struct option_value *out)
{
    if (text_equal(value, "0"))
        return true;
    out->on = value_byte(&value, &out->number[0]) && value_character(&value, ',') &&
              value_byte(&value, &out->number[1]) && *value == '\0';
    return out->on;
}

/* number[1] is N, or 0 for the K-th call, with K in number[0]. */
static bool parse_fail(const char *value, struct option_value *out)
{
    if (!value_number(&value, &out->number[0]))
        return false;
    out->on = out->number[0] != 0;
    if (value_character(&value, ',')) {
        out->on = value_character(&value, '1') && value_character(&value, '/') &&
                  value_number(&value, &out->number[1]) && out->number[1] > 0;
        if (!out->on)
            return false;
    }
    return *value == '\0';
}

/* Returns what comes after the signal's name or number. */
static const char *after_signal(const char *text)
{
    while ((*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9'))
        text++;
    return text;
}

/* Without an exit or a signal, the snapshot is written at exit. */
static bool parse_dump(const char *value, struct option_value *out)
{
    enum { DESCRIPTOR_MAX = 1 << 20 };
    bool at_exit;

    if (!value_number(&value, &out->number[0]) || out->number[0] > DESCRIPTOR_MAX)
        return false;
    out->number[0]++;
    at_exit = *value == '\0' || value_word(&value, ",exit");
    out->number[1] = at_exit;
    if (*value == ',' && after_signal(value + 1) != value + 1)
        value = after_signal(value + 1);
    return *value == '\0';
}

bool option_parse(enum option option, const char *value, struct option_value *out)
{
    *out = (struct option_value){.on = false};
    switch (option) {
    case OPTION_ON_ERROR:
        return parse_switch(value, "abort", "report", out);
    case OPTION_ON_WRONG_SIZE:
        return parse_wrong_size(value, out);
    case OPTION_ARENA_MAX:
        return parse_arena_max(value, out);
    case OPTION_DUMP:
        return parse_dump(value, out);
    case OPTION_STATS:
        return parse_stats(value, out);
    case OPTION_HISTORY:
        return parse_numbers(value, value_number, HISTORY_MOST, CALLER_DEPTH_MAX, out);
    case OPTION_PROFILE:
        return parse_numbers(value, value_bytes, PROFILE_MOST, UINT64_MAX, out);
    case OPTION_GUARD:
        return parse_numbers(value, value_number, UINT32_MAX, UINT64_MAX, out);
    case OPTION_FILL:
        return parse_fill(value, out);
    case OPTION_CHECK:
        return parse_numbers(value, value_number, UINT64_MAX, 0, out);
    case OPTION_LIMIT:
        return parse_numbers(value, value_bytes, INT64_MAX, 0, out);
    case OPTION_FAIL:
        return parse_fail(value, out);
    default:
        return parse_switch(value, "0", "1", out);
    }
}
