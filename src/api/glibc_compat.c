/*
 * What <malloc.h> declares beside the malloc family: trimming, tuning, and figures, all of this
 * allocator.
 */
#include "api/api.h"

#include "arena/pool.h"
#include "arena/remote.h"
#include "arena/visit.h"
#include "base/text.h"
#include "bins/slab_pages.h"
#include "debug/census.h"
#include "debug/stats.h"
#include "large/large.h"
#include "os/os.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

API int ft_malloc_trim(size_t pad) SYMBOL(malloc_trim);
API int ft_mallopt(int param, int val) SYMBOL(mallopt);
API struct mallinfo ft_mallinfo(void) SYMBOL(mallinfo);
API struct mallinfo2 ft_mallinfo2(void) SYMBOL(mallinfo2);
API void ft_print_stats(void) SYMBOL(malloc_stats);
API int ft_malloc_info(int options, FILE *fp) SYMBOL(malloc_info);

/*
 * Returns 1 if memory went back to the kernel. What other threads have in their caches stays there,
 * and is bounded.
 */
int ft_malloc_trim(size_t pad)
{
    int saved_errno = errno;
    struct cache *cache = cache_enter();
    size_t bytes = 0;

    (void)pad;
    if (cache != NULL) {
        cache_flush(cache);
        bytes += arena_trim(cache->arena);
        cache_leave(cache);
        if (!cache->common)
            remote_send_all(cache);
    }
    bytes += visit_to_trim(cache == NULL ? NULL : cache->arena);
    bytes += large_trim();
    errno = saved_errno;
    return bytes > 0;
}

int ft_mallopt(int param, int val)
{
    /* glibc's other parameters describe a different allocator. */
    return param == M_ARENA_MAX && val > 0 && pool_limit((unsigned)val);
}

struct mallinfo2 ft_mallinfo2(void)
{
    struct census census;
    const struct census_zone *tiny = &census.zone[ZONE_TINY];
    const struct census_zone *small = &census.zone[ZONE_SMALL];
    const struct census_zone *large = &census.zone[ZONE_LARGE];

    census_take(&census);
    return (struct mallinfo2){
        .arena = tiny->slabs + small->slabs,
        .ordblks = tiny->vacant + small->vacant,
        .hblks = large->chunks,
        .hblkhd = large->usable,
        .uordblks = tiny->usable + small->usable,
        .fordblks = tiny->slabs + small->slabs - tiny->usable - small->usable,
        .keepcost = census.cached,
    };
}

static int as_int(size_t value)
{
    return value > INT_MAX ? INT_MAX : (int)value;
}

/*
 * The fields of this structure are too small for large heaps. They stop at INT_MAX instead of
 * turning negative.
 */
struct mallinfo ft_mallinfo(void)
{
    struct mallinfo2 info = ft_mallinfo2();

    return (struct mallinfo){
        .arena = as_int(info.arena),
        .ordblks = as_int(info.ordblks),
        .hblks = as_int(info.hblks),
        .hblkhd = as_int(info.hblkhd),
        .uordblks = as_int(info.uordblks),
        .fordblks = as_int(info.fordblks),
        .keepcost = as_int(info.keepcost),
    };
}

int own_mallopt(int param, int val) OWN_NAME_OF(mallopt);
struct mallinfo own_mallinfo(void) OWN_NAME_OF(mallinfo);

void ft_print_stats(void)
{
    stats_print();
}

static void put_attribute(struct text *text, const char *name, size_t value)
{
    text_string(text, " ");
    text_string(text, name);
    text_string(text, "=\"");
    text_number(text, value);
    text_string(text, "\"");
}

static void compose_info(struct text *text)
{
    static const char *const names[] = {"tiny", "small", "large"};
    struct slab_pages_counts pages = slab_pages_counted();
    struct census census;

    census_take(&census);
    text_string(text, "<malloc version=\"ft_malloc-1\">\n");
    for (unsigned zone = 0; zone <= ZONE_LARGE; zone++) {
        text_string(text, "<zone name=\"");
        text_string(text, names[zone]);
        text_string(text, "\"");
        put_attribute(text, "heaps", census.zone[zone].heaps);
        put_attribute(text, "chunks", census.zone[zone].chunks);
        put_attribute(text, "requested", census.zone[zone].requested);
        put_attribute(text, "usable", census.zone[zone].usable);
        put_attribute(text, "slabs", census.zone[zone].slabs);
        put_attribute(text, "vacant", census.zone[zone].vacant);
        text_string(text, "/>\n");
    }
    text_string(text, "<arenas");
    put_attribute(text, "count", census.arenas);
    text_string(text, "/>\n<cache");
    put_attribute(text, "bytes", census.cached);
    text_string(text, "/>\n<pages");
    put_attribute(text, "given", pages.given);
    put_attribute(text, "calls", pages.calls);
    put_attribute(text, "again", pages.wanted);
    text_string(text, "/>\n</malloc>\n");
}

/*
 * Returns the descriptor of the stream's file, or -1. Only streams over files are marked so; in
 * others, such as those of open_memstream(), the number means nothing. A stream of fopencookie() is
 * marked, and its number is negative.
 */
static int file_of(const FILE *stream)
{
    enum { IS_FILE = 0x2000 }; /* _IO_IS_FILEBUF, which the C library's headers do not declare */

    return (stream->_flags & IS_FILE) != 0 ? stream->_fileno : -1;
}

/*
 * The library uses no stdio, so it stores the text where putc() would store it: in the stream's
 * buffer, whose pointers are public for the sake of that macro. If there is too little room, it
 * writes to the stream's file, after what the buffer holds. A stream that has neither gets an
 * error.
 */
static bool put_into_stream(const struct text *text, FILE *stream)
{
    size_t pending = (size_t)(stream->_IO_write_ptr - stream->_IO_write_base);
    int fd = file_of(stream);

    if ((size_t)(stream->_IO_write_end - stream->_IO_write_ptr) >= text->length) {
        memcpy(stream->_IO_write_ptr, text->buffer, text->length);
        stream->_IO_write_ptr += text->length;
        return true;
    }
    if (fd < 0)
        return false;
    os_write(fd, stream->_IO_write_base, pending);
    stream->_IO_write_ptr = stream->_IO_write_base;
    os_write(fd, text->buffer, text->length);
    /* The stream's idea of the file's position is outdated. -1 makes it ask. */
    stream->_offset = -1;
    return true;
}

int ft_malloc_info(int flags, FILE *fp)
{
    struct text text = {.fd = -1};

    /* Returns the error itself instead of -1, like glibc. */
    if (flags != 0)
        return EINVAL;
    compose_info(&text);
    if (put_into_stream(&text, fp))
        return 0;
    errno = ENOSPC;
    return -1;
}
