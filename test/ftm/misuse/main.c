/*
 * misuse_program NAME: runs one of the programs. misuse_program without a name lists them, one a
 * line: kind, name, outcome, and the text that its message has.
 */
#include "programs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct programs *const all[] = {
    &programs_direct,  &programs_frees,      &programs_copies,   &programs_texts,
    &programs_streams, &programs_scans,      &programs_sizes,    &programs_threads,
    &programs_new,     &programs_remembered, &programs_converts, &programs_lines,
    &programs_names,   &programs_arrays,     &programs_fine,     &programs_fine_calls,
};

static const char *const outcomes[] = {"reported", "stopped", "harmless", "unseen"};

void *opaque(void *pointer)
{
    void *volatile hidden = pointer;

    return hidden;
}

size_t opaque_size(size_t size)
{
    volatile size_t hidden = size;

    return hidden;
}

char *chunk_of(size_t size)
{
    char *chunk = opaque(malloc(size));

    if (chunk == NULL)
        exit(99);
    for (size_t n = 0; n < size; n++)
        chunk[n] = 'x';
    return chunk;
}

FILE *file_of(const char *text)
{
    FILE *file = tmpfile();

    if (file == NULL || fputs(text, file) < 0)
        exit(99);
    rewind(file);
    return file;
}

char *two_side_by_side(size_t size)
{
    enum { CHUNKS = 64 };
    char *chunks[CHUNKS];

    for (unsigned n = 0; n < CHUNKS; n++)
        chunks[n] = chunk_of(size);
    for (unsigned n = 0; n < CHUNKS * CHUNKS; n++)
        if (chunks[n / CHUNKS] + size == chunks[n % CHUNKS])
            return chunks[n / CHUNKS];
    return NULL;
}

void churn(size_t size)
{
    enum { CHUNKS = 256, ROUNDS = 64 };
    void *chunks[CHUNKS];

    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned n = 0; n < CHUNKS; n++)
            chunks[n] = opaque(malloc(size));
        for (unsigned n = 0; n < CHUNKS; n++)
            free(chunks[n]);
    }
}

static void list(const struct programs *programs)
{
    for (size_t n = 0; n < programs->count; n++) {
        const struct program *program = &programs->program[n];

        (void)printf("%s\t%s\t%s\t%s\n", programs->kind, program->name, outcomes[program->outcome],
                     program->text == NULL ? "" : program->text);
    }
}

static int run(const struct programs *programs, const char *name)
{
    for (size_t n = 0; n < programs->count; n++)
        if (strcmp(programs->program[n].name, name) == 0)
            return programs->program[n].run() ? 0 : 1;
    return -1;
}

int main(int argc, char **argv)
{
    int status = -1;

    for (size_t n = 0; n < sizeof all / sizeof all[0] && status < 0; n++) {
        if (argc < 2)
            list(all[n]);
        else
            status = run(all[n], argv[1]);
    }
    return argc < 2 ? 0 : status < 0 ? 98 : status;
}
