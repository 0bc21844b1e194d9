/*
 * Growing arrays, and a set of strings: an open hash table of pointers, at most half full.
 */
#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *memory_check(void *memory)
{
    if (memory == NULL) {
        fputs("ftm: there is no memory left\n", stderr);
        exit(2);
    }
    return memory;
}

void *memory_new(size_t count, size_t item_size)
{
    return memory_check(calloc(count > 0 ? count : 1, item_size));
}

void *memory_grow(void *items, size_t *room, size_t count, size_t item_size)
{
    if (count < *room)
        return items;
    *room = *room > 0 ? *room * 2 : 16;
    return memory_check(reallocarray(items, *room, item_size));
}

char *memory_text(const char *text, size_t length)
{
    char *copy = memory_check(malloc(length + 1));

    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *memory_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return memory_check(text);
}

struct names {
    char **slots;
    size_t room, count;
};

struct names *names_new(void)
{
    struct names *names = memory_new(1, sizeof(*names));

    names->room = 1024;
    names->slots = memory_new(names->room, sizeof(*names->slots));
    return names;
}

/* FNV-1a, 64 bits. */
static uint64_t name_hash(const char *text, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3U;
    return hash;
}

/* The slot of the text, or the empty one that it should get. */
static size_t name_slot(const struct names *names, const char *text, size_t length)
{
    size_t slot = name_hash(text, length) & (names->room - 1);

    while (names->slots[slot] != NULL &&
           (strncmp(names->slots[slot], text, length) != 0 || names->slots[slot][length] != '\0'))
        slot = (slot + 1) & (names->room - 1);
    return slot;
}

static void names_double(struct names *names)
{
    struct names larger = {.room = names->room * 2, .count = names->count};

    larger.slots = memory_new(larger.room, sizeof(*larger.slots));
    for (size_t i = 0; i < names->room; i++)
        if (names->slots[i] != NULL)
            larger.slots[name_slot(&larger, names->slots[i], strlen(names->slots[i]))] =
                names->slots[i];
    free(names->slots);
    *names = larger;
}

const char *names_keep(struct names *names, const char *text, size_t length)
{
    size_t slot;

    length = strnlen(text, length);
    slot = name_slot(names, text, length);
    if (names->slots[slot] == NULL) {
        if (names->count * 2 >= names->room) {
            names_double(names);
            slot = name_slot(names, text, length);
        }
        names->slots[slot] = memory_text(text, length);
        names->count++;
    }
    return names->slots[slot];
}

void names_free(struct names *names)
{
    if (names == NULL)
        return;
    for (size_t i = 0; i < names->room; i++)
        free(names->slots[i]);
    free(names->slots);
    free(names);
}
