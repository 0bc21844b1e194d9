/*
 * The reports. What is wrong with the pointer is looked up here once more: the path that found it
 * to be wrong was in a hurry.
 */
#include "debug/report.h"

#include "base/options.h"
#include "base/report_line.h"
#include "base/structure_lock.h"
#include "bins/empty.h"
#include "large/large.h"
#include "os/os.h"

#include <stdatomic.h>
#include <unistd.h>

static void put_double_free(struct text *text, uintptr_t address, enum zone zone, size_t requested)
{
    text_string(text, "double free of ");
    text_hex_lower(text, address);
    report_put_size(text, zone, requested);
}

static void put_invalid(struct text *text, uintptr_t address)
{
    text_string(text, "invalid pointer ");
    text_hex_lower(text, address);
    text_string(text, ": ");
}

static void put_inside(struct text *text, uintptr_t address, uintptr_t start, enum zone zone,
                       size_t requested)
{
    put_invalid(text, address);
    text_string(text, "inside the chunk ");
    text_hex_lower(text, start);
    report_put_size(text, zone, requested);
}

/* What is there, if the address lies in a heap. */
static bool look_in_heaps(uintptr_t address, struct chunk *chunk, enum verdict *verdict)
{
    uint16_t tag;

    /*
     * A wrong pointer keeps no heap in its place, but the lock does. Nobody who reports holds it.
     */
    structure_lock_read();
    tag = heap_map_tag(address);
    if (tag != TAG_NONE)
        *verdict = chunk_find(address, tag, chunk);
    structure_unlock();
    return tag != TAG_NONE;
}

static void put_chunk_verdict(struct text *text, uintptr_t address, enum verdict verdict,
                              const struct chunk *chunk)
{
    enum zone zone = chunk->zone;

    /*
     * Live: it came to life between the check and the report, because another thread was given it.
     */
    if (verdict == CHUNK_FREED || verdict == CHUNK_LIVE) {
        put_double_free(text, address, zone, chunk->requested);
    } else if (verdict == CHUNK_INTERIOR) {
        put_inside(text, address, chunk->start, zone, chunk->requested);
    } else {
        put_invalid(text, address);
        text_string(text, "no chunk in a ");
        text_string(text, zone_name(zone));
        text_string(text, " heap");
    }
}

/* "0x7f... (TINY, 42 bytes)". */
static void put_live(struct text *text, uintptr_t address)
{
    struct chunk chunk = {.zone = ZONE_LARGE};
    struct large_info info;
    enum verdict verdict;

    if (!look_in_heaps(address, &chunk, &verdict)) {
        if (large_find(address, &info))
            chunk.requested = info.requested;
        else
            empty_find(address, &chunk);
    }
    text_hex_lower(text, address);
    report_put_size(text, chunk.zone, chunk.requested);
}

static void put_verdict(struct text *text, uintptr_t address)
{
    struct large_info info;
    struct chunk chunk;
    enum verdict verdict;

    if (look_in_heaps(address, &chunk, &verdict) ||
        (verdict = empty_find(address, &chunk)) != CHUNK_NONE) {
        put_chunk_verdict(text, address, verdict, &chunk);
    } else if (large_find(address, &info) || large_find_gone(address, &info)) {
        put_double_free(text, address, ZONE_LARGE, info.requested);
    } else if (large_find_around(address, &info)) {
        put_inside(text, address, info.start, ZONE_LARGE, info.requested);
    } else {
        put_invalid(text, address);
        text_string(text, "not from this allocator");
    }
}

void report_misuse(const char *function, uintptr_t address)
{
    struct text text = {.fd = STDERR_FILENO};

    report_begin(&text, function);
    put_verdict(&text, address);
    report_end(&text);
}

static bool first_wrong(void)
{
    static _Atomic bool reported;

    /*
     * Relaxed: only who is first matters. Looked at first: a program that does it once does it
     * often.
     */
    return !atomic_load_explicit(&reported, memory_order_relaxed) &&
           !atomic_exchange_explicit(&reported, true, memory_order_relaxed);
}

/* Whether it is told: nothing is destroyed, so a program that does it may live by it. */
static bool wrong_is_told(void)
{
    if (options.on_wrong_size == WRONG_SIZE_UNSET && !options.harden)
        return first_wrong();
    return options.on_wrong_size != WRONG_SIZE_IGNORE;
}

static bool wrong_ends_process(void)
{
    if (options.on_wrong_size == WRONG_SIZE_UNSET)
        return options.harden && !options.report_only;
    return options.on_wrong_size == WRONG_SIZE_ABORT;
}

void report_wrong(const char *function, const char *what, uintptr_t said, uintptr_t address)
{
    struct text text = {.fd = STDERR_FILENO};

    if (!wrong_is_told())
        return;
    report_begin(&text, function);
    text_string(&text, "wrong ");
    text_string(&text, what);
    text_string(&text, " ");
    text_number(&text, said);
    text_string(&text, " for ");
    put_live(&text, address);
    report_end_line(&text);
    if (wrong_ends_process())
        os_abort();
}
