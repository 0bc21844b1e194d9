/*
 * Messages of Protocol Buffers, as bytes that grow.
 */
#ifndef FTM_WIRE_H
#define FTM_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct wire {
    unsigned char *bytes;
    size_t length, room;
};

void wire_varint(struct wire *wire, uint64_t value);

/* A field with a number; nothing is written for 0, which is what a missing field means. */
void wire_number(struct wire *wire, unsigned field, uint64_t value);

/* A field with bytes: a string, a message, or packed numbers. */
void wire_bytes(struct wire *wire, unsigned field, const void *bytes, size_t length);

/* Adds the message that `inner` holds as a field, and empties it. */
void wire_message(struct wire *wire, unsigned field, struct wire *inner);

void wire_clear(struct wire *wire);
void wire_free(struct wire *wire);

#endif
