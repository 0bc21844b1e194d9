/*
 * Sections.
 */
#include "debug/dump_write.h"

#include "os/os.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { PIECE = 1 << 20, WORD = sizeof(uint64_t) };

static const uint64_t zeros[64];

static void put(struct dump *dump, const void *bytes, size_t length)
{
    if (dump->error == 0)
        dump->error = os_write(dump->fd, bytes, length);
}

static void put_zeros(struct dump *dump, size_t length)
{
    for (; length > 0 && dump->error == 0; length -= length < sizeof zeros ? length : sizeof zeros)
        put(dump, zeros, length < sizeof zeros ? length : sizeof zeros);
}

static void add_to_sum(struct dump *dump, const void *words, size_t size)
{
    for (size_t at = 0; at < size; at += WORD) {
        uint64_t word;

        memcpy(&word, (const char *)words + at, WORD);
        dump->sum = snapshot_sum(dump->sum, word);
    }
}

static void put_head(struct dump *dump, uint32_t type, uint64_t address, uint64_t length)
{
    const struct snapshot_section head = {.type = type, .address = address, .length = length};

    dump->sections++;
    add_to_sum(dump, &head, sizeof head);
    put(dump, &head, sizeof head);
}

void dump_begin(struct dump *dump, int fd, const struct snapshot_header *header)
{
    *dump = (struct dump){.fd = fd};
    add_to_sum(dump, header, sizeof *header);
    put(dump, header, sizeof *header);
}

int dump_end(struct dump *dump)
{
    struct snapshot_end end;

    put_head(dump, SNAPSHOT_END, 0, sizeof end);
    end = (struct snapshot_end){.sections = dump->sections, .checksum = dump->sum};
    put(dump, &end, sizeof end);
    return dump->error;
}

void dump_section(struct dump *dump, uint32_t type, uint64_t address, const void *payload,
                  size_t length)
{
    put_head(dump, type, address, length);
    put(dump, payload, length);
    put_zeros(dump, -length % WORD);
}

static bool is_zero(const char *memory, size_t length)
{
    for (size_t at = 0; at < length; at++)
        if (memory[at] != 0)
            return false;
    return true;
}

/* Returns how many bytes at the beginning are pages of zeros, or pages of others. */
static size_t run_of(const char *memory, size_t length, bool *zero)
{
    size_t run = length < OS_PAGE ? length : OS_PAGE;

    *zero = is_zero(memory, run);
    while (run < length) {
        size_t page = length - run < OS_PAGE ? length - run : OS_PAGE;

        if (is_zero(memory + run, page) != *zero)
            break;
        run += page;
    }
    return run;
}

void dump_known(struct dump *dump, uint64_t address, const void *copy, size_t length)
{
    const char *memory = copy;

    while (length > 0 && dump->error == 0) {
        bool zero;
        size_t run = run_of(memory, length, &zero);

        if (zero)
            put_head(dump, SNAPSHOT_ZEROS, address, run);
        else
            dump_section(dump, SNAPSHOT_MEMORY, address, memory, run);
        address += run;
        memory += run;
        length -= run;
    }
}

void dump_live(struct dump *dump, uint64_t address, size_t length)
{
    while (length > 0 && dump->error == 0) {
        size_t piece = length < PIECE ? length : PIECE, done = 0;

        put_head(dump, SNAPSHOT_MEMORY, address, piece);
        if (dump->error == 0)
            dump->error = os_write_some(dump->fd, pointer_to(address), piece, &done);
        if (dump->error == EFAULT) {
            dump->error = 0;
            put_zeros(dump, piece - done);
        }
        put_zeros(dump, -piece % WORD);
        if (done < piece)
            put_head(dump, SNAPSHOT_VOID, address + done, piece - done);
        address += piece;
        length -= piece;
    }
}
