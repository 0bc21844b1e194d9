/*
 * How the commands about profiles print figures.
 */
#ifndef FTM_TABLE_H
#define FTM_TABLE_H

#include "groups.h"
#include "out.h"

enum { NUMBER_TEXT = 32 };

/* "12,345". Each returns its buffer. */
const char *number_text(uint64_t number, char buffer[NUMBER_TEXT]);

/* "+1.5 MiB", "-12 B", "0 B". */
const char *signed_size_text(int64_t bytes, char buffer[NUMBER_TEXT]);

/* "+12,345" */
const char *signed_number_text(int64_t number, char buffer[NUMBER_TEXT]);

/* "3.2 s", "15 ms", "2 h 5 min"; "-" for an average of nothing. */
const char *time_text(uint64_t nanoseconds, char buffer[NUMBER_TEXT]);

/* The average lifetime of the freed chunks. */
const char *lifetime_text(const struct site *site, char buffer[NUMBER_TEXT]);

/*
 * Prints a line of a key. In long names of C++ the arguments of templates become "...": nobody can
 * read them, and they would fill the screen. JSON and exports have the whole names.
 */
void print_name(struct out *out, const char *name, size_t length);

/* The same as text, cut off at the size. Returns the buffer. */
const char *short_name(const char *name, size_t length, char *buffer, size_t size);

/* Stores the thread's name, or "" if it has ended or the source does not know it. */
struct source;
void thread_name(struct source *source, uint32_t tid, char name[16]);

/* 0 of 0 is 0. */
double percent_of(uint64_t part, uint64_t whole);

/* "live", "peak" ... and "stack", "site" ..., as the options have them. */
const char *value_name(enum site_value value);
const char *by_name(enum group_by by);

/* The options --live, --peak, --allocated, --temporary of a command, for getopt_long(). */
#define VALUE_OPTIONS                                                                              \
    {"live", no_argument, NULL, VALUE_LIVE + VALUE_OPTION},                                        \
        {"peak", no_argument, NULL, VALUE_PEAK + VALUE_OPTION},                                    \
        {"allocated", no_argument, NULL, VALUE_ALLOCATED + VALUE_OPTION},                          \
    {                                                                                              \
        "temporary", no_argument, NULL, VALUE_TEMPORARY + VALUE_OPTION                             \
    }
enum { VALUE_OPTION = 1000 };

/* Returns false if it is another option. */
bool value_option(int option, enum site_value *value);

/* Returns false if there is no such name. */
bool by_named(const char *name, enum group_by *by);

/* The frames of a stack as a JSON array "stack". */
void json_stack(struct json *json, const struct site *site, struct symbols *symbols);

/* How the figures came about: sampled or not, for how long, and what is missing from them. */
void print_origin(struct out *out, const struct sites *sites);
void json_origin(struct json *json, const struct sites *sites);

#endif
