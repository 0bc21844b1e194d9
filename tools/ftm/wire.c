/*
 * Two kinds of fields are enough here: numbers of variable length, and runs of bytes.
 */
#include "wire.h"

#include "memory.h"

#include <stdlib.h>

enum { KIND_NUMBER = 0, KIND_BYTES = 2 };

static void add_byte(struct wire *wire, unsigned byte)
{
    wire->bytes = memory_grow(wire->bytes, &wire->room, wire->length, 1);
    wire->bytes[wire->length++] = (unsigned char)byte;
}

void wire_varint(struct wire *wire, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        add_byte(wire, (unsigned)(value & 0x7f) | 0x80);
    add_byte(wire, (unsigned)value);
}

void wire_number(struct wire *wire, unsigned field, uint64_t value)
{
    if (value == 0)
        return;
    wire_varint(wire, (uint64_t)field << 3 | KIND_NUMBER);
    wire_varint(wire, value);
}

void wire_bytes(struct wire *wire, unsigned field, const void *bytes, size_t length)
{
    wire_varint(wire, (uint64_t)field << 3 | KIND_BYTES);
    wire_varint(wire, length);
    for (size_t i = 0; i < length; i++)
        add_byte(wire, ((const unsigned char *)bytes)[i]);
}

void wire_message(struct wire *wire, unsigned field, struct wire *inner)
{
    wire_bytes(wire, field, inner->bytes, inner->length);
    wire_clear(inner);
}

void wire_clear(struct wire *wire)
{
    wire->length = 0;
}

void wire_free(struct wire *wire)
{
    free(wire->bytes);
    *wire = (struct wire){0};
}
