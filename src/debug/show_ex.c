/*
 * The text of show_alloc_mem_ex(). What the history holds is collected first, so that all chunks
 * can be looked up in it.
 */
#include "debug/show.h"

#include "base/clock.h"
#include "bins/guard_pool.h"
#include "debug/history_index.h"
#include "debug/live_table.h"
#include "debug/origin.h"
#include "debug/peek.h"
#include "debug/stack_table.h"
#include "ft_malloc.h"

#include <errno.h>

struct extended {
    unsigned flags;
    uint64_t now;
    struct history_index chunks;
};

static bool guarded_caller(uintptr_t address, struct caller *caller)
{
    struct caller freed;

    return guard_pool_callers(address, caller, &freed) == GUARD_LIVE;
}

/* What a profile or a record has noted. */
static bool noted_caller(uintptr_t address, struct caller *caller)
{
    struct live_chunk live;

    /* Acquire: the table is complete. */
    if (atomic_load_explicit(&live_table, memory_order_acquire) == NULL ||
        !live_table_find(address, &live))
        return false;
    *caller = (struct caller){.time = live.time, .thread = live.thread};
    caller->depth = (uint16_t)stack_table_frames(live.site, caller->frames, CALLER_DEPTH_MAX);
    caller->truncated = stack_table_at(live.site)->truncated != 0;
    return true;
}

static bool caller_of(const struct extended *extended, uintptr_t address, struct caller *caller)
{
    struct history_call call;

    if (guarded_caller(address, caller))
        return true;
    if (!history_index_find(&extended->chunks, address, &call))
        return noted_caller(address, caller);
    *caller = call.caller;
    return true;
}

static void put_origin(const struct extended *extended, struct text *text, uintptr_t address)
{
    struct caller caller;

    if (!caller_of(extended, address, &caller))
        return;
    text_string(text, "   ");
    origin_put_time(text, caller.time, extended->now);
    text_string(text, " old, thread ");
    text_number(text, caller.thread);
    text_string(text, "\n");
    origin_put_frames(text, &caller);
}

enum { LINE = 16 };

static void put_line(struct text *text, uintptr_t address, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "0123456789ABCDEF";
    char hex[] = " ??", readable[LINE + 1] = "";

    text_string(text, "    ");
    text_hex_upper(text, address);
    text_string(text, " :");
    for (size_t n = 0; n < count; n++) {
        hex[1] = digits[bytes[n] >> 4];
        hex[2] = digits[bytes[n] & 15];
        text_string(text, hex);
        readable[n] = '.';
        if (bytes[n] >= ' ' && bytes[n] <= '~')
            readable[n] = (char)bytes[n];
    }
    for (size_t n = count; n < LINE; n++)
        text_string(text, "   ");
    text_string(text, " : ");
    text_string(text, readable);
    text_string(text, "\n");
}

static void put_bytes(struct text *text, const struct listed_chunk *chunk)
{
    unsigned char bytes[PEEK_MOST];

    for (size_t at = 0; at < chunk->requested && text->error == 0; at += PEEK_MOST) {
        size_t count = chunk->requested - at < PEEK_MOST ? chunk->requested - at : PEEK_MOST;

        if (!peek(chunk->start, at, bytes, count)) {
            text_string(text, "    freed meanwhile\n");
            break;
        }
        for (size_t n = 0; n < count; n += LINE)
            put_line(text, chunk->start + at + n, bytes + n, count - n < LINE ? count - n : LINE);
    }
}

static void put_more(void *context, struct text *text, const struct listed_chunk *chunk)
{
    const struct extended *extended = context;

    put_origin(extended, text, chunk->start);
    if ((extended->flags & FT_MALLOC_SHOW_BYTES) != 0)
        put_bytes(text, chunk);
}

static void put_words(struct text *text, const struct history_call *call)
{
    static const char *const names[EVENT_KINDS] = {[EVENT_MALLOC] = "malloc(",
                                                   [EVENT_CALLOC] = "calloc(",
                                                   [EVENT_REALLOC] = "realloc(",
                                                   [EVENT_ALIGNED] = "aligned_alloc(",
                                                   [EVENT_FREE] = "free("};

    text_string(text, names[call->kind]);
    if (call->kind == EVENT_FREE || call->kind == EVENT_REALLOC)
        text_hex_upper(text, call->old);
    if (call->kind == EVENT_REALLOC)
        text_string(text, ", ");
    if (call->kind != EVENT_FREE)
        text_number(text, call->size);
    text_string(text, ")");
    if (call->kind != EVENT_FREE) {
        text_string(text, " = ");
        text_hex_upper(text, call->pointer);
    }
    text_string(text, "\n");
}

static void put_call(const struct extended *extended, struct text *text,
                     const struct history_call *call)
{
    text_number(text, call->order);
    text_string(text, " :");
    origin_put_time(text, call->caller.time, extended->now);
    text_string(text, " ago, thread ");
    text_number(text, call->caller.thread);
    text_string(text, " : ");
    put_words(text, call);
    origin_put_frames(text, &call->caller);
}

/* Calls that are overwritten while this is written are left out. */
static void put_history(void *context, struct text *text)
{
    const struct extended *extended = context;
    struct history_index calls;
    struct history_call call;

    (void)history_index_calls(&calls);
    if (calls.count > 0) {
        text_string(text, "History : ");
        text_number(text, calls.count);
        text_string(text, " calls\n");
    }
    for (size_t n = 0; n < calls.count && text->error == 0; n++)
        if (history_read(calls.items[n].ring, calls.items[n].number, &call))
            put_call(extended, text, &call);
    history_index_end(&calls);
}

int show_extended(int fd, unsigned flags, const char *function)
{
    struct extended extended = {.flags = flags, .now = clock_now()};
    struct show_more more = {.chunk = put_more, .end = put_history, .context = &extended};
    int error;

    if ((flags & ~(unsigned)FT_MALLOC_SHOW_BYTES) != 0)
        return EINVAL;
    more.complete = history_index_chunks(&extended.chunks);
    error = show_listing_with(fd, function, &more);
    history_index_end(&extended.chunks);
    return error;
}
