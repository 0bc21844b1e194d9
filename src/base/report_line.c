/*
 * The wording of reports, and how they are written.
 */
#include "base/report_line.h"

#include "base/options.h"
#include "os/os.h"

#include <unistd.h>

void report_begin(struct text *text, const char *function)
{
    text_string(text, "ft_malloc: ");
    text_string(text, function);
    text_string(text, ": ");
}

void report_put_size(struct text *text, enum zone zone, size_t requested)
{
    text_string(text, " (");
    text_string(text, zone_name(zone));
    text_string(text, ", ");
    text_number(text, requested);
    text_string(text, " bytes)");
}

void report_end_line(struct text *text)
{
    text_string(text, "\n");
    text_flush(text);
}

void report_end(struct text *text)
{
    report_end_line(text);
    if (!options.report_only)
        os_abort();
}

static void report_chunk(const char *function, const char *what, const struct reported_chunk *chunk)
{
    struct text text = {.fd = STDERR_FILENO};

    report_begin(&text, function);
    text_string(&text, what);
    text_hex_lower(&text, chunk->start);
    report_put_size(&text, chunk->zone, chunk->requested);
    report_end(&text);
}

void report_overflow(const char *function, const struct reported_chunk *chunk)
{
    report_chunk(function, "written past the end of ", chunk);
}

void report_beside(bool front, const struct reported_chunk *chunk)
{
    report_chunk("free()",
                 front ? "written to free memory in front of " : "written to free memory behind ",
                 chunk);
}

void report_corruption(const char *what, uintptr_t address)
{
    struct text text = {.fd = STDERR_FILENO};

    text_string(&text, "ft_malloc: ");
    text_string(&text, what);
    text_string(&text, " ");
    text_hex_lower(&text, address);
    report_end(&text);
}
