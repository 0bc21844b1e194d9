/*
 * Reads files of /proc into memory that is mapped for the purpose, because a snapshot is written
 * with nothing allocated.
 */
#include "dump_sections.h"

#include "dump_program.h"

#include "ft_malloc.h"

#include "debug/snapshot.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Maps a file's text; files of /proc do not tell their size. Returns NULL without memory. */
static char *slurp(const char *path, size_t *length, size_t *size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *text = MAP_FAILED;
    ssize_t got = 1;

    *size = (size_t)1 << 20;
    *length = 0;
    if (file >= 0)
        text = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    while (text != MAP_FAILED && (got = read(file, text + *length, *size - *length)) > 0) {
        *length += (size_t)got;
        if (*length == *size) {
            char *larger = mremap(text, *size, 2 * *size, MREMAP_MAYMOVE);

            if (larger == MAP_FAILED)
                break;
            text = larger;
            *size *= 2;
        }
    }
    if (file >= 0)
        (void)close(file);
    return text == MAP_FAILED ? NULL : text;
}

void dump_sections(unsigned flags,
                   void (*section)(void *context, uint32_t type, uint64_t address,
                                   const void *payload, size_t length),
                   void *context)
{
    static const struct {
        const char *path;
        uint32_t type;
    } files[] = {{"/proc/self/maps", SNAPSHOT_MAPS}, {"/proc/self/cmdline", SNAPSHOT_COMMAND}};

    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t length, size;
        char *text = slurp(files[i].path, &length, &size);

        if (text == NULL)
            continue;
        section(context, files[i].type, files[i].type == SNAPSHOT_COMMAND ? (uint64_t)getpid() : 0,
                text, length);
        if (files[i].type == SNAPSHOT_MAPS && (flags & FT_MALLOC_DUMP_CONTENTS) != 0)
            dump_program(text, section, context);
        (void)munmap(text, size);
    }
}
