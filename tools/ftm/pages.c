/*
 * Pages in memory: a bit map for each mapping that has any.
 */
#include "pages.h"

#include "command.h"
#include "memory.h"
#include "search.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bits of an entry of pagemap, as the kernel's documentation of it says. */
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_FILE (UINT64_C(1) << 61)
#define ENTRY_ALONE (UINT64_C(1) << 56)

struct mapping {
    uint64_t start, end, rss;
    uint64_t *bits;     /* NULL: no page, or, with `whole`, all of them */
    uint64_t *doubtful; /* present, but perhaps a page of zeros */
    uint64_t counted, doubts;
};

struct pages {
    struct mapping *list;
    size_t count, room;
    uint64_t page, rss, swap;
};

uint64_t pages_size(const struct pages *pages)
{
    return pages->page;
}

uint64_t pages_rss(const struct pages *pages)
{
    return pages->rss;
}

uint64_t pages_swap(const struct pages *pages)
{
    return pages->swap;
}

static void set_bit(uint64_t *bits, uint64_t index)
{
    bits[index / 64] |= UINT64_C(1) << index % 64;
}

static bool get_bit(const uint64_t *bits, uint64_t index)
{
    return (bits[index / 64] >> index % 64 & 1) != 0;
}

/*
 * An anonymous page that only this process has is certainly its own. One that is neither that nor
 * of a file may be shared with a relative after a fork, or be the page of zeros that all share.
 */
static void take_entry(struct mapping *mapping, uint64_t index, uint64_t entry)
{
    if ((entry & ENTRY_PRESENT) == 0)
        return;
    if ((entry & (ENTRY_FILE | ENTRY_ALONE)) != 0) {
        set_bit(mapping->bits, index);
        mapping->counted++;
    } else {
        set_bit(mapping->doubtful, index);
        mapping->doubts++;
    }
}

static bool read_entries(struct mapping *mapping, int fd, uint64_t page)
{
    enum { AT_ONCE = 8192 };
    uint64_t count = (mapping->end - mapping->start) / page;
    uint64_t *entries = memory_new(AT_ONCE, sizeof *entries);
    uint64_t done = 0;

    while (done < count) {
        uint64_t here = count - done < AT_ONCE ? count - done : AT_ONCE;
        off_t from = (off_t)((mapping->start / page + done) * sizeof *entries);
        ssize_t got = pread(fd, entries, here * sizeof *entries, from);

        if (got < (ssize_t)sizeof *entries)
            break;
        here = (uint64_t)got / sizeof *entries;
        for (uint64_t i = 0; i < here; i++)
            take_entry(mapping, done + i, entries[i]);
        done += here;
    }
    free(entries);
    return done == count;
}

/* Lets the kernel's count of the mapping decide whether most of the doubtful pages are zeros. */
static void settle_doubts(struct mapping *mapping, uint64_t page)
{
    uint64_t rss = mapping->rss / page;
    uint64_t words = ((mapping->end - mapping->start) / page + 63) / 64;

    if (rss <= mapping->counted || rss - mapping->counted <= mapping->doubts / 2)
        return;
    for (uint64_t i = 0; i < words; i++)
        mapping->bits[i] |= mapping->doubtful[i];
    mapping->counted += mapping->doubts;
}

static bool read_mapping(struct mapping *mapping, int fd, uint64_t page)
{
    uint64_t words = ((mapping->end - mapping->start) / page + 63) / 64;
    bool fine;

    if (mapping->rss == 0)
        return true;
    mapping->bits = memory_new(words, sizeof *mapping->bits);
    mapping->doubtful = memory_new(words, sizeof *mapping->doubtful);
    fine = read_entries(mapping, fd, page);
    settle_doubts(mapping, page);
    free(mapping->doubtful);
    mapping->doubtful = NULL;
    return fine;
}

static void add_mapping(struct pages *pages, uint64_t start, uint64_t end)
{
    pages->list = memory_grow(pages->list, &pages->room, pages->count, sizeof *pages->list);
    pages->list[pages->count++] = (struct mapping){.start = start, .end = end};
}

static void parse_line(struct pages *pages, const char *line)
{
    uint64_t start, end, number;

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2 && end > start) {
        add_mapping(pages, start, end);
    } else if (pages->count > 0 && sscanf(line, "Rss: %" SCNu64 " kB", &number) == 1) {
        pages->list[pages->count - 1].rss = number * 1024;
        pages->rss += number * 1024;
    } else if (sscanf(line, "Swap: %" SCNu64 " kB", &number) == 1) {
        pages->swap += number * 1024;
    }
}

/* Returns 0 or an error number. */
static int read_smaps(struct pages *pages, pid_t pid)
{
    char path[64], *line = NULL;
    size_t room = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return errno;
    while (getline(&line, &room, file) >= 0)
        parse_line(pages, line);
    free(line);
    (void)fclose(file);
    return pages->count == 0 ? ESRCH : 0;
}

static int read_pagemap(struct pages *pages, pid_t pid)
{
    char path[64];
    int fd, error = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    for (size_t i = 0; i < pages->count && error == 0; i++)
        /* The kernel has no entries for [vsyscall], which it does not count either. */
        if (!read_mapping(&pages->list[i], fd, pages->page))
            error = EIO;
    (void)close(fd);
    return error;
}

struct pages *pages_open(pid_t pid)
{
    struct pages *pages = memory_new(1, sizeof *pages);
    int error;

    pages->page = (uint64_t)sysconf(_SC_PAGESIZE);
    error = read_smaps(pages, pid);
    if (error == 0)
        error = read_pagemap(pages, pid);
    if (error == 0)
        return pages;
    say_error(error, "the kernel does not tell which pages of process %d are in memory", (int)pid);
    pages_close(pages);
    return NULL;
}

void pages_close(struct pages *pages)
{
    if (pages == NULL)
        return;
    for (size_t i = 0; i < pages->count; i++)
        free(pages->list[i].bits);
    free(pages->list);
    free(pages);
}

/* Returns the first mapping that ends behind the address, or `count`. */
static size_t first_behind(const struct pages *pages, uint64_t address)
{
    return SEARCH_ABOVE(pages->list, pages->count, end, address);
}

bool pages_have(const struct pages *pages, uint64_t address)
{
    size_t i = first_behind(pages, address);
    const struct mapping *mapping = &pages->list[i];

    return i < pages->count && mapping->start <= address && mapping->bits != NULL &&
           get_bit(mapping->bits, (address - mapping->start) / pages->page);
}

/* Returns how many pages with numbers from `first` up to before `last` have their bit set. */
static uint64_t count_bits(const uint64_t *bits, uint64_t first, uint64_t last)
{
    uint64_t count = 0;

    for (; first < last && first % 64 != 0; first++)
        count += get_bit(bits, first);
    for (; last - first >= 64; first += 64)
        count += (uint64_t)__builtin_popcountll(bits[first / 64]);
    for (; first < last; first++)
        count += get_bit(bits, first);
    return count;
}

/* Of one mapping; the range is part of it. Its first and last page may be in it only partly. */
static uint64_t resident_in(const struct mapping *mapping, uint64_t page, uint64_t start,
                            uint64_t end)
{
    uint64_t first = (start - mapping->start) / page, last = (end - 1 - mapping->start) / page;
    uint64_t bytes;

    if (mapping->bits == NULL)
        return 0;
    bytes = count_bits(mapping->bits, first, last + 1) * page;
    if (get_bit(mapping->bits, first))
        bytes -= (start - mapping->start) % page;
    if (get_bit(mapping->bits, last))
        bytes -= page - 1 - (end - 1 - mapping->start) % page;
    return bytes;
}

uint64_t pages_resident(const struct pages *pages, uint64_t start, uint64_t end)
{
    uint64_t bytes = 0;

    for (size_t i = first_behind(pages, start); i < pages->count; i++) {
        const struct mapping *mapping = &pages->list[i];
        uint64_t from = start > mapping->start ? start : mapping->start;
        uint64_t to = end < mapping->end ? end : mapping->end;

        if (mapping->start >= end)
            break;
        if (from < to)
            bytes += resident_in(mapping, pages->page, from, to);
    }
    return bytes;
}

uint64_t pages_counted(const struct pages *pages)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < pages->count; i++)
        bytes += pages->list[i].counted * pages->page;
    return bytes;
}
