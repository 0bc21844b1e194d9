/*
 * What ftm prints on standard output: text, and JSON. Both are buffered; an error is remembered and
 * told by out_end(), so nobody has to ask in between.
 */
#ifndef FTM_OUT_H
#define FTM_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out {
    int fd;
    int error; /* what write() failed with, or 0; nothing more is written then */
    size_t length;
    char buffer[1 << 16];
};

/* Standard output. There is one. */
struct out *out_begin(void);

/* Writes what is left. Returns false, after a line on stderr, if something could not be written. */
bool out_end(struct out *out);

void out_flush(struct out *out);
void out_bytes(struct out *out, const char *bytes, size_t length);
void out_text(struct out *out, const char *text);
void out_format(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Quicker than out_format(), for long lists. Hexadecimal digits are in capitals, after "0x". */
void out_number(struct out *out, uint64_t number);
void out_hex(struct out *out, uint64_t number);

/* Like out_text(), but control characters become '?': for names that come from a source. */
void out_name(struct out *out, const char *name);

/* "1.5 MiB", with at most four digits. Returns the buffer. */
enum { SIZE_TEXT = 24 };
const char *size_text(uint64_t bytes, char buffer[SIZE_TEXT]);

/*
 * JSON. `key` is NULL inside of an array and for the outermost value. Addresses are strings such as
 * "0x7f12"; sizes are numbers of bytes. Text that is no UTF-8 is escaped byte by byte.
 */
enum { JSON_DEPTH = 32 };

struct json {
    struct out *out;
    unsigned depth;
    char closing[JSON_DEPTH];
    bool filled[JSON_DEPTH];
};

void json_begin(struct json *json, struct out *out);
void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
void json_close(struct json *json); /* the object or array; a newline after the outermost */
void json_string(struct json *json, const char *key, const char *text); /* NULL: null */
void json_number(struct json *json, const char *key, uint64_t number);
void json_signed(struct json *json, const char *key, int64_t number);
void json_real(struct json *json, const char *key, double number);
void json_bool(struct json *json, const char *key, bool value);
void json_address(struct json *json, const char *key, uint64_t address);

#endif
