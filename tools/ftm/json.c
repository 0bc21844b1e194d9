/*
 * JSON on the output of out.h.
 */
#include "out.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void json_begin(struct json *json, struct out *out)
{
    *json = (struct json){.out = out};
}

/*
 * The length of the UTF-8 sequence of more than one byte that the text begins with, or 0 if it
 * begins with none.
 */
static size_t utf8_length(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc0 ? 2 : 0;
    uint32_t code = text[0] & (0x7fU >> length);

    if (length == 0 || text[0] >= 0xf8)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fU);
    }
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    return length;
}

static void put_quoted(struct out *out, const char *text)
{
    out_bytes(out, "\"", 1);
    while (*text != '\0') {
        unsigned char byte = (unsigned char)*text;
        size_t length = 1;

        if (byte == '"' || byte == '\\')
            out_format(out, "\\%c", byte);
        else if (byte >= ' ' && byte < 0x7f)
            out_bytes(out, text, 1);
        else if (byte >= 0x80 && (length = utf8_length((const unsigned char *)text)) > 0)
            out_bytes(out, text, length);
        else
            out_format(out, "\\u%04x", byte);
        text += length > 0 ? length : 1;
    }
    out_bytes(out, "\"", 1);
}

/* What stands between the value before and this one. */
static void put_key(struct json *json, const char *key)
{
    if (json->depth > 0) {
        if (json->filled[json->depth - 1])
            out_bytes(json->out, ",", 1);
        json->filled[json->depth - 1] = true;
        if (json->depth <= 2)
            out_bytes(json->out, "\n", 1);
    }
    if (key != NULL) {
        put_quoted(json->out, key);
        out_bytes(json->out, ":", 1);
    }
}

static void open_with(struct json *json, const char *key, const char *opening, char closing)
{
    put_key(json, key);
    assert(json->depth < JSON_DEPTH);
    out_text(json->out, opening);
    json->closing[json->depth] = closing;
    json->filled[json->depth++] = false;
}

void json_object(struct json *json, const char *key)
{
    open_with(json, key, "{", '}');
}

void json_array(struct json *json, const char *key)
{
    open_with(json, key, "[", ']');
}

void json_close(struct json *json)
{
    out_bytes(json->out, &json->closing[--json->depth], 1);
    if (json->depth == 0)
        out_bytes(json->out, "\n", 1);
}

void json_string(struct json *json, const char *key, const char *text)
{
    put_key(json, key);
    if (text == NULL)
        out_text(json->out, "null");
    else
        put_quoted(json->out, text);
}

void json_number(struct json *json, const char *key, uint64_t number)
{
    put_key(json, key);
    out_number(json->out, number);
}

void json_signed(struct json *json, const char *key, int64_t number)
{
    put_key(json, key);
    out_format(json->out, "%lld", (long long)number);
}

void json_real(struct json *json, const char *key, double number)
{
    put_key(json, key);
    if (isfinite(number))
        out_format(json->out, "%.6g", number);
    else
        out_text(json->out, "null");
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    out_text(json->out, value ? "true" : "false");
}

void json_address(struct json *json, const char *key, uint64_t address)
{
    put_key(json, key);
    out_format(json->out, "\"0x%llx\"", (unsigned long long)address);
}
