/*
 * Figures as text, and what the tables of profiles have in common.
 */
#include "table.h"

#include "memory.h"
#include "source.h"
#include "symbols.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LONG = 90 };

static const char *const value_names[] = {"live", "peak", "allocated", "temporary"};
static const char *const by_names[] = {"stack", "site", "library", "thread", "size"};

const char *number_text(uint64_t number, char buffer[NUMBER_TEXT])
{
    char digits[NUMBER_TEXT];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, number);
    int to = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            buffer[to++] = ',';
        buffer[to++] = digits[i];
    }
    buffer[to] = '\0';
    return buffer;
}

/* The distance from 0, without the overflow of -INT64_MIN. */
static uint64_t distance(int64_t number)
{
    return number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
}

const char *signed_size_text(int64_t bytes, char buffer[NUMBER_TEXT])
{
    buffer[0] = bytes < 0 ? '-' : '+';
    size_text(distance(bytes), bytes == 0 ? buffer : buffer + 1);
    return buffer;
}

const char *signed_number_text(int64_t number, char buffer[NUMBER_TEXT])
{
    char digits[NUMBER_TEXT];

    number_text(distance(number), digits);
    snprintf(buffer, NUMBER_TEXT, "%s%.30s", number < 0 ? "-" : number > 0 ? "+" : "", digits);
    return buffer;
}

const char *time_text(uint64_t nanoseconds, char buffer[NUMBER_TEXT])
{
    uint64_t milliseconds = nanoseconds / 1000000, seconds = milliseconds / 1000;

    if (nanoseconds > 0 && milliseconds == 0)
        snprintf(buffer, NUMBER_TEXT, "< 1 ms");
    else if (milliseconds < 1000)
        snprintf(buffer, NUMBER_TEXT, "%" PRIu64 " ms", milliseconds);
    else if (seconds < 60)
        snprintf(buffer, NUMBER_TEXT, "%" PRIu64 ".%" PRIu64 " s", seconds,
                 milliseconds % 1000 / 100);
    else if (seconds < 3600)
        snprintf(buffer, NUMBER_TEXT, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
    else
        snprintf(buffer, NUMBER_TEXT, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600,
                 seconds % 3600 / 60);
    return buffer;
}

const char *lifetime_text(const struct site *site, char buffer[NUMBER_TEXT])
{
    if (site->freed > 0)
        return time_text(site->lifetime_ns / site->freed, buffer);
    snprintf(buffer, NUMBER_TEXT, "-");
    return buffer;
}

/* Whether the '<' or '>' at the end of the text is part of an operator's name. */
static bool ends_operator(const char *text, size_t length)
{
    static const char word[] = "operator";
    size_t end = length;

    while (end > 0 && strchr("<>=-", text[end - 1]) != NULL)
        end--;
    return end >= sizeof(word) - 1 &&
           strncmp(text + end - (sizeof(word) - 1), word, sizeof(word) - 1) == 0;
}

const char *short_name(const char *name, size_t length, char *buffer, size_t size)
{
    unsigned depth = 0;
    size_t to = 0;

    for (size_t i = 0; i < length && to + 5 < size; i++) {
        bool bracket =
            length > NAME_LONG && strchr("<>", name[i]) != NULL && !ends_operator(name, i + 1);

        if (bracket && name[i] == '>' && depth > 0 && --depth == 0)
            for (int dot = 0; dot < 3; dot++)
                buffer[to++] = '.';
        if (depth == 0 && iscntrl((unsigned char)name[i]))
            buffer[to++] = '?';
        else if (depth == 0)
            buffer[to++] = name[i];
        if (bracket && name[i] == '<')
            depth++;
    }
    buffer[to] = '\0';
    return buffer;
}

void print_name(struct out *out, const char *name, size_t length)
{
    /* "<>" may become "<...>". */
    size_t size = 5 * length + 8;
    char *text = memory_new(size, 1);

    out_text(out, short_name(name, length, text, size));
    free(text);
}

struct named {
    uint32_t tid;
    char *name;
};

static int find_thread(void *context, const struct source_thread *thread)
{
    struct named *named = context;

    if ((uint32_t)thread->tid != named->tid)
        return 0;
    snprintf(named->name, 16, "%.15s", thread->name);
    return 1;
}

void thread_name(struct source *source, uint32_t tid, char name[16])
{
    struct named named = {tid, name};

    name[0] = '\0';
    source_each_thread(source, find_thread, &named);
}

double percent_of(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

const char *value_name(enum site_value value)
{
    return value_names[value];
}

const char *by_name(enum group_by by)
{
    return by_names[by];
}

bool value_option(int option, enum site_value *value)
{
    if (option < VALUE_OPTION || option > VALUE_OPTION + VALUE_TEMPORARY)
        return false;
    *value = (enum site_value)(option - VALUE_OPTION);
    return true;
}

bool by_named(const char *name, enum group_by *by)
{
    for (unsigned i = 0; i < sizeof(by_names) / sizeof(*by_names); i++)
        if (strcmp(name, by_names[i]) == 0) {
            *by = (enum group_by)i;
            return true;
        }
    return false;
}

void json_stack(struct json *json, const struct site *site, struct symbols *symbols)
{
    struct frame *frames;
    unsigned count = site_frames(site, symbols, &frames);

    json_array(json, "stack");
    for (unsigned i = 0; i < count; i++) {
        json_object(json, NULL);
        json_address(json, "address", frames[i].address);
        json_string(json, "function", frames[i].function);
        json_string(json, "file", frames[i].file);
        json_number(json, "line", frames[i].line);
        json_string(json, "module", frames[i].module);
        json_bool(json, "inlined", frames[i].inlined);
        json_close(json);
    }
    json_close(json);
    json_bool(json, "truncated", site->truncated);
    free(frames);
}

void print_origin(struct out *out, const struct sites *sites)
{
    char size[SIZE_TEXT], number[NUMBER_TEXT], time[NUMBER_TEXT];

    if (sites->interval > 1)
        out_format(out, "a sample for each %s on average", size_text(sites->interval, size));
    else
        out_text(out, "every call recorded");
    if (sites->duration_ns > 0)
        out_format(out, " for %s", time_text(sites->duration_ns, time));
    out_format(out, "; %s stacks taken, %.1f %% of them truncated\n",
               number_text(sites->samples, number), percent_of(sites->truncated, sites->samples));
    if (sites->overflowed > 0)
        out_format(out, "%s calls came from stacks that found no room: \"%s\"\n",
                   number_text(sites->overflowed, number), site_unknown);
    if (sites->dropped > 0)
        out_format(out, "%s calls are missing: there was no memory to note them\n",
                   number_text(sites->dropped, number));
}

void json_origin(struct json *json, const struct sites *sites)
{
    json_object(json, "origin");
    json_string(json, "command", sites->command);
    json_number(json, "pid", (uint64_t)sites->pid);
    json_number(json, "interval_bytes", sites->interval);
    json_number(json, "duration_ns", sites->duration_ns);
    json_number(json, "stacks", sites->samples);
    json_number(json, "truncated", sites->truncated);
    json_real(json, "truncated_percent", percent_of(sites->truncated, sites->samples));
    json_number(json, "overflowed", sites->overflowed);
    json_number(json, "dropped", sites->dropped);
    json_close(json);
}
