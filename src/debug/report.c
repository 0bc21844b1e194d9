/*
 * The reports of misuse. They look the pointer up once more, because the path that found it to be
 * wrong did not collect the details.
 */
#include "debug/report.h"

#include "arena/lookup.h"
#include "base/options.h"
#include "base/report_line.h"
#include "os/os.h"

#include <stdatomic.h>
#include <unistd.h>

static void put_double_free(struct text *text, uintptr_t address, const struct chunk *chunk)
{
    text_string(text, "double free of ");
    text_hex_lower(text, address);
    report_put_size(text, chunk->zone, chunk->requested);
}

static void put_invalid(struct text *text, uintptr_t address)
{
    text_string(text, "invalid pointer ");
    text_hex_lower(text, address);
    text_string(text, ": ");
}

static void put_inside(struct text *text, uintptr_t address, const struct chunk *chunk)
{
    put_invalid(text, address);
    text_string(text, "inside the chunk ");
    text_hex_lower(text, chunk->start);
    report_put_size(text, chunk->zone, chunk->requested);
}

/* "0x7f... (TINY, 42 bytes)". */
static void put_live(struct text *text, uintptr_t address)
{
    struct chunk chunk;

    (void)lookup_any(address, &chunk);
    text_hex_lower(text, address);
    report_put_size(text, chunk.zone, chunk.requested);
}

/* Completes the report. */
static void put_verdict(struct text *text, struct report *report)
{
    uintptr_t address = report->address;
    struct chunk chunk;

    report->kind = FT_MALLOC_INVALID_POINTER;
    switch (lookup_any(address, &chunk)) {
    case CHUNK_LIVE: /* live since the check, because another thread was given it meanwhile */
    case CHUNK_FREED:
    case CHUNK_GONE:
        put_double_free(text, address, &chunk);
        report->kind = FT_MALLOC_DOUBLE_FREE;
        report->chunk = address;
        break;
    case CHUNK_INTERIOR:
        put_inside(text, address, &chunk);
        report->chunk = chunk.start;
        break;
    case CHUNK_NONE:
        put_invalid(text, address);
        text_string(text, "no chunk in a ");
        text_string(text, zone_name(chunk.zone));
        text_string(text, " heap");
        break;
    case CHUNK_FOREIGN:
        put_invalid(text, address);
        text_string(text, "not from this allocator");
        break;
    }
}

void report_misuse(const char *function, uintptr_t address)
{
    struct report report = {.function = function,
                            .address = address,
                            .noted = !text_equal(function, "malloc_usable_size()"),
                            .unlocked = true};
    struct text text = {.fd = STDERR_FILENO};

    report_begin(&text, function);
    put_verdict(&text, &report);
    report_end(&text, &report);
}

static bool first_wrong(void)
{
    static _Atomic bool reported;

    /*
     * Relaxed: it only matters which call is the first. The load comes before the exchange because
     * a program that does it once does it often.
     */
    return !atomic_load_explicit(&reported, memory_order_relaxed) &&
           !atomic_exchange_explicit(&reported, true, memory_order_relaxed);
}

/* Returns whether it is reported. Nothing is destroyed by it, so programs may rely on it. */
static bool wrong_is_told(void)
{
    if (options_on_wrong_size() == WRONG_SIZE_UNSET && !policy_sizes_must_match())
        return first_wrong();
    return options_on_wrong_size() != WRONG_SIZE_IGNORE;
}

static bool wrong_ends_process(void)
{
    if (options_on_wrong_size() == WRONG_SIZE_UNSET)
        return policy_sizes_must_match() && !options_report_only();
    return options_on_wrong_size() == WRONG_SIZE_ABORT;
}

void report_wrong(const char *function, enum ft_malloc_error_kind kind, uintptr_t said,
                  uintptr_t address)
{
    const struct report report = {.kind = kind,
                                  .function = function,
                                  .address = address,
                                  .chunk = address,
                                  .noted = true,
                                  .unlocked = true};
    struct text text = {.fd = STDERR_FILENO};

    if (!wrong_is_told())
        return;
    report_begin(&text, function);
    text_string(&text, kind == FT_MALLOC_WRONG_SIZE ? "wrong size " : "wrong alignment ");
    text_number(&text, said);
    text_string(&text, " for ");
    put_live(&text, address);
    report_end_line(&text, &report);
    if (wrong_ends_process())
        os_abort();
}
