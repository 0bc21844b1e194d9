/*
 * Compares the library's own figures with the model: the census, mallinfo, malloc_info,
 * malloc_stats, show_alloc_mem.
 */
#define _GNU_SOURCE 1 // NOLINT: the C library asks for this name
#include "fuzz/fuzz.h"

#include "base/options.h"
#include "debug/census.h"
#include "support/prefixed.h"
#include "support/shown.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Streams on a memory file. The library writes past the buffer of the second one. */
static FILE *streams[2];

void figures_open(void)
{
    for (unsigned i = 0; i < 2; i++) {
        int file = memfd_create("info", MFD_CLOEXEC);

        streams[i] = file < 0 ? NULL : fdopen(file, "w+");
        REQUIRE(streams[i] != NULL, "no file of memory");
    }
    (void)setvbuf(streams[1], NULL, _IONBF, 0);
}

struct totals {
    size_t chunks;
    size_t requested;
    size_t usable;
};

static struct totals totals(bool with_usable)
{
    struct totals sum = {0, 0, 0};

    for (unsigned i = 0; i < SLOTS; i++) {
        const struct held *slot = &fuzz.slots[i];

        if (slot->start == NULL)
            continue;
        sum.chunks++;
        sum.requested += slot->shown;
        sum.usable += with_usable ? ft_malloc_usable_size(slot->start) : 0;
    }
    return sum;
}

void figures_require_exact(void)
{
    struct totals held = totals(false);
    struct census census;
    size_t chunks = 0, requested = 0;

    census_take(&census);
    for (unsigned zone = 0; zone <= ZONE_LARGE; zone++) {
        chunks += census.zone[zone].chunks;
        requested += census.zone[zone].requested;
    }
    REQUIRE(chunks == held.chunks && requested == held.requested,
            "the census has %zu chunks with %zu bytes, held are %zu with %zu", chunks, requested,
            held.chunks, held.requested);
}

/* In hardened mode a chunk's slack may not be used, because a canary is in it. */
static bool usable_agrees(size_t shown, size_t held)
{
    return options.harden ? shown >= held : shown == held;
}

static bool clipped(int shown, size_t real)
{
    return shown == (real > INT_MAX ? INT_MAX : (int)real);
}

static void require_mallinfo(void)
{
    struct totals held = totals(true);
    struct mallinfo2 info = ft_mallinfo2();
    struct mallinfo old = ft_mallinfo();

    REQUIRE(usable_agrees(info.uordblks + info.hblkhd, held.usable),
            "mallinfo2: %zu + %zu bytes, held are %zu", info.uordblks, info.hblkhd, held.usable);
    REQUIRE(info.fordblks == info.arena - info.uordblks, "mallinfo2: %zu free of %zu",
            info.fordblks, info.arena);
    REQUIRE(clipped(old.uordblks, info.uordblks) && clipped(old.hblkhd, info.hblkhd) &&
                clipped(old.arena, info.arena) && clipped(old.hblks, info.hblks) &&
                clipped(old.ordblks, info.ordblks) && clipped(old.fordblks, info.fordblks),
            "mallinfo is not mallinfo2");
}

/* Returns the sum of the numbers that follow `name`. */
static size_t sum_of(const char *text, const char *name)
{
    size_t sum = 0;

    while ((text = strstr(text, name)) != NULL) {
        text += strlen(name);
        sum += strtoul(text, NULL, 10);
    }
    return sum;
}

static void require_info_text(const char *text)
{
    struct totals held = totals(true);

    REQUIRE(strncmp(text, "<malloc ", 8) == 0 && strstr(text, "</malloc>\n") != NULL,
            "malloc_info: \"%s\"", text);
    REQUIRE(sum_of(text, "requested=\"") == held.requested &&
                sum_of(text, "chunks=\"") == held.chunks &&
                usable_agrees(sum_of(text, "usable=\""), held.usable),
            "held are %zu chunks, %zu of %zu bytes, malloc_info: \"%s\"", held.chunks,
            held.requested, held.usable, text);
}

static void require_info(FILE *stream)
{
    char text[4096];
    ssize_t length;

    rewind(stream);
    REQUIRE(ftruncate(fileno(stream), 0) == 0, "cannot empty the file");
    REQUIRE(ft_malloc_info(1, stream) == EINVAL, "malloc_info takes an option");
    REQUIRE(ft_malloc_info(0, stream) == 0, "malloc_info fails");
    (void)fflush(stream);
    length = pread(fileno(stream), text, sizeof text - 1, 0);
    REQUIRE(length >= 0, "cannot read back");
    text[length] = '\0';
    require_info_text(text);
}

/* The stream's buffer may be too short, and it has no file. */
static void require_info_in_memory(void)
{
    char text[4096] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");

    REQUIRE(stream != NULL, "no stream in memory");
    if (input_byte() % 2)
        (void)fputc('\n', stream);
    if (ft_malloc_info(0, stream) == 0) {
        (void)fclose(stream);
        require_info_text(text + (text[0] == '\n'));
        return;
    }
    REQUIRE(errno == ENOSPC, "malloc_info: errno is %d", errno);
    (void)fclose(stream);
}

static void require_stats(void)
{
    struct totals held = totals(true);
    struct output output;
    size_t in_chunks;

    ft_print_stats();
    output = output_taken(STDERR_FILENO);
    in_chunks = sum_of(output.text, "in chunks ");
    REQUIRE(sum_of(output.text, "requested ") == held.requested &&
                sum_of(output.text, " chunks ") - in_chunks == held.chunks &&
                usable_agrees(in_chunks, held.usable),
            "held are %zu chunks, %zu of %zu bytes, malloc_stats: \"%s\"", held.chunks,
            held.requested, held.usable, output.text);
}

static void require_shown(void)
{
    struct totals held = totals(false);
    struct shown shown;
    struct output output, message;
    bool complete;

    output_listen();
    show_alloc_mem();
    output = output_taken(STDOUT_FILENO);
    message = output_taken(STDERR_FILENO);
    complete = message.length == 0;
    REQUIRE(complete || fuzz.out_of_memory, "show_alloc_mem: \"%s\"", message.text);
    REQUIRE(shown_parse(&shown, output.text, output.length), "%s", shown.error);
    REQUIRE(!complete || (shown.chunk_count == held.chunks && shown.total == held.requested),
            "%zu chunks with %zu bytes are shown, held are %zu with %zu", shown.chunk_count,
            shown.total, held.chunks, held.requested);
    for (size_t i = 0; i < shown.chunk_count; i++) {
        const struct held *slot = slot_starting(shown.chunks[i].start);

        REQUIRE(slot != NULL && slot->shown == shown.chunks[i].size,
                "shown, but not held: %p of %zu bytes", (void *)shown.chunks[i].start,
                shown.chunks[i].size);
    }
    shown_free(&shown);
}

void command_figures(void)
{
    unsigned kind = input_byte();

    switch (kind % 8) {
    case 0:
        require_mallinfo();
        break;
    case 1:
    case 2:
        require_info(streams[kind % 2]);
        break;
    case 3:
        require_info_in_memory();
        break;
    case 4:
        require_stats();
        break;
    case 5:
        REQUIRE(ft_mallopt(M_MMAP_THRESHOLD, 1000) == 0, "mallopt takes what it does not know");
        break;
    case 6:
        held_check_all();
        break;
    default:
        require_shown();
    }
    figures_require_exact();
}
