/*
 * Breaks a snapshot, and a core file that is made of it, in many ways, and reads each result:
 * broken_case SNAPSHOT FOLDER TIMES SEED. The readers may refuse the file or find what they can;
 * they must neither crash, nor loop for ever, nor ask for much memory. What is broken follows from
 * the seed alone. The last file is in the folder, so that whoever looks for a fault has it.
 */
#include "debug/layout.h"
#include "debug/snapshot.h"
#include "make_core.h"
#include "read_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTIONS_MAX = 1 << 16, SECONDS = 60 };

struct file {
    unsigned char *bytes;
    size_t size;
};

static uint64_t state;

static uint64_t next_random(void)
{
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word = (state ^ state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);

    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

static size_t below(size_t bound)
{
    return bound == 0 ? 0 : (size_t)(next_random() % bound);
}

static void require(bool fine, const char *what)
{
    if (fine)
        return;
    perror(what);
    exit(1);
}

static struct file read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct stat status;
    struct file file;

    require(fd >= 0 && fstat(fd, &status) == 0, path);
    file.size = (size_t)status.st_size;
    file.bytes = malloc(file.size + 1);
    require(file.bytes != NULL && read(fd, file.bytes, file.size) == (ssize_t)file.size, path);
    close(fd);
    return file;
}

static void write_file(const char *path, const struct file *file)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

    require(fd >= 0 && write(fd, file->bytes, file->size) == (ssize_t)file->size, path);
    close(fd);
}

/* Where the headers of the sections are. Returns how many there are. */
static size_t find_sections(const struct file *file, size_t *at)
{
    size_t count = 0, offset = sizeof(struct snapshot_header);

    while (count < SECTIONS_MAX && file->size - offset >= sizeof(struct snapshot_section)) {
        struct snapshot_section section;

        memcpy(&section, file->bytes + offset, sizeof section);
        at[count++] = offset;
        offset += sizeof section;
        if (section.type != SNAPSHOT_ZEROS && section.type != SNAPSHOT_VOID)
            offset += (section.length + 7) / 8 * 8;
        if (section.type == SNAPSHOT_END || offset > file->size)
            break;
    }
    return count;
}

static void put_word(struct file *file, size_t offset, uint64_t word, size_t size)
{
    if (offset + size <= file->size)
        memcpy(file->bytes + offset, &word, size);
}

/* Overwrites a few bytes at the place by a value that is likely to matter. */
static void damage(struct file *file, size_t offset)
{
    static const uint64_t values[] = {0,          1,          8,          0xff,       0x7fffffff,
                                      0x80000000, 0xffffffff, UINT64_MAX, 1ULL << 47, 0x10000};
    uint64_t old = 0;

    if (offset + sizeof old > file->size)
        return;
    memcpy(&old, file->bytes + offset, sizeof old);
    switch (below(5)) {
    case 0:
        file->bytes[offset] ^= (unsigned char)(1U << below(8));
        break;
    case 1:
        put_word(file, offset, next_random(), sizeof old);
        break;
    case 2:
        put_word(file, offset, values[below(sizeof values / sizeof values[0])], 4);
        break;
    case 3:
        put_word(file, offset, old + below(64) - 32, sizeof old);
        break;
    default:
        put_word(file, offset, values[below(sizeof values / sizeof values[0])], sizeof old);
    }
}

/* Makes the checksum right again, so that what was broken is not noticed at once. */
static void mend_end(struct file *file, const size_t *at, size_t count)
{
    uint64_t sum = 0, word;

    for (size_t i = 0; i < sizeof(struct snapshot_header); i += sizeof word) {
        memcpy(&word, file->bytes + i, sizeof word);
        sum = snapshot_sum(sum, word);
    }
    for (size_t section = 0; section < count; section++)
        for (size_t i = 0; i < sizeof(struct snapshot_section); i += sizeof word) {
            memcpy(&word, file->bytes + at[section] + i, sizeof word);
            sum = snapshot_sum(sum, word);
        }
    put_word(file, at[count - 1] + sizeof(struct snapshot_section) + 8, sum, sizeof sum);
}

/* Where the description of the records is in the file. */
static size_t find_layout(const struct file *file)
{
    const unsigned char *found = memmem(file->bytes, file->size, LAYOUT_MAGIC, LAYOUT_MAGIC_SIZE);

    require(found != NULL, "the file has no layout");
    return (size_t)(found - file->bytes);
}

/* One to four damages, each in a part of the file where it may matter. */
static void break_snapshot(struct file *file, const size_t *at, size_t count)
{
    size_t layout = find_layout(file) + LAYOUT_MAGIC_SIZE;

    for (size_t damages = below(4) + 1; damages > 0; damages--)
        switch (below(5)) {
        case 0:
            damage(file, below(sizeof(struct snapshot_header)));
            break;
        case 1:
            damage(file, at[below(count)] + below(sizeof(struct snapshot_section)));
            break;
        case 2:
            damage(file, layout + below(sizeof(struct ft_malloc_layout) - LAYOUT_MAGIC_SIZE));
            break;
        case 3:
            damage(file, at[below(count)] + sizeof(struct snapshot_section) + below(256));
            break;
        default:
            damage(file, below(file->size));
        }
    if (below(4) != 0)
        mend_end(file, at, count);
    if (below(16) == 0)
        file->size = below(file->size);
}

static void break_core(struct file *file, size_t headers)
{
    size_t layout = find_layout(file) + LAYOUT_MAGIC_SIZE;

    for (size_t damages = below(4) + 1; damages > 0; damages--)
        switch (below(4)) {
        case 0:
            damage(file, below(64));
            break;
        case 1:
            damage(file, below(headers));
            break;
        case 2:
            damage(file, layout + below(sizeof(struct ft_malloc_layout) - LAYOUT_MAGIC_SIZE));
            break;
        default:
            damage(file, below(file->size));
        }
    if (below(16) == 0)
        file->size = below(file->size);
}

static struct file copy_of(const struct file *file)
{
    struct file copy = {.bytes = malloc(file->size + 1), .size = file->size};

    require(copy.bytes != NULL, "malloc");
    memcpy(copy.bytes, file->bytes, file->size);
    return copy;
}

int main(int argc, char **argv)
{
    static size_t at[SECTIONS_MAX];
    struct file snapshot, core;
    size_t count, headers, read = 0;
    char path[4096];

    if (argc != 5)
        return 2;
    (void)snprintf(path, sizeof path, "%s/broken", argv[2]);
    snapshot = read_file(argv[1]);
    core.bytes = make_core(snapshot.bytes, snapshot.size, &core.size, &headers);
    require(core.bytes != NULL, "make_core");
    count = find_sections(&snapshot, at);
    write_file(path, &snapshot);
    require(read_all(path), "the snapshot as it is");
    write_file(path, &core);
    require(read_all(path), "the core as it is");
    state = strtoull(argv[4], NULL, 10);
    for (unsigned long times = strtoul(argv[3], NULL, 10); times > 0; times--) {
        bool as_core = below(3) == 0;
        struct file broken = copy_of(as_core ? &core : &snapshot);

        if (as_core)
            break_core(&broken, headers);
        else
            break_snapshot(&broken, at, count);
        write_file(path, &broken);
        free(broken.bytes);
        (void)alarm(SECONDS);
        read += read_all(path);
        (void)alarm(0);
    }
    printf("%zu of %s broken files still had a heap\n", read, argv[3]);
    free(core.bytes);
    free(snapshot.bytes);
    return 0;
}
