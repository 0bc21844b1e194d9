/*
 * The wording of reports, and how they are written.
 */
#include "base/report_line.h"

#include "base/options.h"
#include "os/os.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

/*
 * Any thread may write or read it. The exchange is a release: who reads the handler also sees what
 * its owner prepared before setting it. It is an acquire as well, so that the caller can use what
 * belongs to the former handler. Reports load it with acquire.
 */
static _Atomic(ft_malloc_error_handler) error_handler;

/* True while this thread is in the handler. A misuse in there must not call it again. */
static _Thread_local bool in_handler;

ft_malloc_error_handler report_set_handler(ft_malloc_error_handler handler)
{
    in_handler = false; /* a handler that left by longjmp() could not say that it ended */
    return atomic_exchange_explicit(&error_handler, handler, memory_order_acq_rel);
}

/* `message` is the line without its end. */
static void call_handler(const char *message, const struct report *report)
{
    ft_malloc_error_handler handler = atomic_load_explicit(&error_handler, memory_order_acquire);
    const struct ft_malloc_error error = {
        .size = sizeof error,
        .kind = report->kind,
        .may_allocate = report->unlocked,
        .function = report->function,
        .pointer = pointer_to(report->address),
        .message = message,
    };
    int saved_errno = errno;

    if (handler == NULL || in_handler)
        return;
    in_handler = true;
    handler(&error);
    in_handler = false;
    errno = saved_errno;
}

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

/* Set with release, and read with acquire: what it uses is complete. */
static _Atomic(report_details *) details;

void report_set_details(report_details *function)
{
    atomic_store_explicit(&details, function, memory_order_release); /* see `details` */
}

/*
 * The longest line is far shorter than the buffer, so all of it is still there when written.
 * Details use the rest of the buffer, because a thread may have little stack.
 */
void report_end_line(struct text *text, const struct report *report)
{
    report_details *add = atomic_load_explicit(&details, memory_order_acquire); /* see `details` */
    size_t length = text->length;

    text_string(text, "\n");
    text_flush(text);
    text->buffer[length] = '\0';
    if (add != NULL) {
        text->kept = text->length = length + 1;
        add(text, report);
    }
    call_handler(text->buffer, report);
}

void report_end(struct text *text, const struct report *report)
{
    report_end_line(text, report);
    if (!options_report_only())
        os_abort();
}

static void report_chunk(const char *function, enum ft_malloc_error_kind kind, const char *what,
                         const struct reported_chunk *chunk)
{
    const struct report report = {.kind = kind,
                                  .function = function,
                                  .address = chunk->start,
                                  .chunk = chunk->start,
                                  .noted = true};
    struct text text = {.fd = STDERR_FILENO};

    report_begin(&text, function);
    text_string(&text, what);
    text_hex_lower(&text, chunk->start);
    report_put_size(&text, chunk->zone, chunk->requested);
    report_end(&text, &report);
}

void report_overflow(const char *function, const struct reported_chunk *chunk)
{
    report_chunk(function, FT_MALLOC_OVERFLOW, "written past the end of ", chunk);
}

void report_underflow(const char *function, const struct reported_chunk *chunk)
{
    report_chunk(function, FT_MALLOC_OVERFLOW, "written in front of ", chunk);
}

void report_beside(bool front, const struct reported_chunk *chunk)
{
    report_chunk("free()", FT_MALLOC_CORRUPTION,
                 front ? "written to free memory in front of " : "written to free memory behind ",
                 chunk);
}

void report_corruption(const char *what, uintptr_t address)
{
    const struct report report = {
        .kind = FT_MALLOC_CORRUPTION, .address = address, .chunk = address};
    struct text text = {.fd = STDERR_FILENO};

    text_string(&text, "ft_malloc: ");
    text_string(&text, what);
    text_string(&text, " ");
    text_hex_lower(&text, address);
    report_end(&text, &report);
}
