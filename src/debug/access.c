/*
 * The report of an access that a checked function of the C library would make.
 */
#include "debug/access.h"

#include "arena/lookup.h"
#include "base/options.h"
#include "base/report_line.h"
#include "os/os.h"

#include <unistd.h>

static void put_beyond(struct text *text, const struct ft_malloc_access *access,
                       const struct ft_malloc_extent *extent)
{
    size_t offset = (uintptr_t)access->pointer - (uintptr_t)extent->start, end, beyond;

    text_string(text, access->write ? "writes " : "reads ");
    if (access->pointer < extent->start) {
        text_string(text, "in front of ");
        return;
    }
    /* An access that ends beyond the address space is as long as it can be. */
    if (__builtin_add_overflow(offset, access->bytes, &end))
        end = SIZE_MAX;
    beyond = end - extent->size;
    text_number(text, beyond);
    text_string(text, beyond == 1 ? " byte past the end of " : " bytes past the end of ");
}

/* Writes what is wrong, and returns what kind of mistake that is. */
static enum ft_malloc_error_kind put_access(struct text *text,
                                            const struct ft_malloc_access *access,
                                            const struct ft_malloc_extent *extent)
{
    uintptr_t start = (uintptr_t)extent->start;
    struct chunk chunk;
    enum verdict verdict = lookup_any(start, &chunk);

    if (verdict == CHUNK_LIVE) {
        put_beyond(text, access, extent);
        text_hex_lower(text, start);
        report_put_size(text, chunk.zone, chunk.requested);
        return access->write ? FT_MALLOC_OVERFLOW : FT_MALLOC_OVERREAD;
    }
    text_string(text, access->write ? "writes to " : "reads from ");
    if (verdict == CHUNK_FREED || verdict == CHUNK_GONE) {
        text_string(text, "the freed chunk ");
        text_hex_lower(text, start);
        report_put_size(text, chunk.zone, chunk.requested);
    } else {
        text_hex_lower(text, (uintptr_t)access->pointer);
        text_string(text, ", which no chunk holds");
    }
    return FT_MALLOC_USE_AFTER_FREE;
}

static bool allowed(const struct ft_malloc_access *access, const struct ft_malloc_extent *extent)
{
    size_t offset = (uintptr_t)access->pointer - (uintptr_t)extent->start;

    return extent->start == NULL || access->bytes == 0 ||
           (offset <= extent->size && access->bytes <= extent->size - offset);
}

void ft_malloc_report_access(const struct ft_malloc_access *access)
{
    struct ft_malloc_extent extent = lookup_bounds((uintptr_t)access->pointer);
    struct report report = {
        .function = access->function, .address = (uintptr_t)access->pointer, .unlocked = true};
    struct text text = {.fd = STDERR_FILENO};

    if (allowed(access, &extent))
        return;
    report.chunk = (uintptr_t)extent.start;
    report_begin(&text, access->function);
    report.kind = put_access(&text, access, &extent);
    report_end_line(&text, &report);
    if (access->write_stack != NULL)
        access->write_stack();
    if (!options_report_only())
        os_abort();
}
