/*
 * The text of show_alloc_mem(). It is written when nothing is held any more, so a slow terminal
 * stops nobody.
 */
#include "debug/show.h"

#include <errno.h>
#include <unistd.h>

struct writer {
    struct text text;
    uintptr_t place; /* whose line was written last */
    size_t total;
    const struct show_more *more; /* or NULL */
};

static int put_chunk(void *context, const struct listed_chunk *chunk)
{
    struct writer *writer = context;
    struct text *text = &writer->text;

    if (chunk->place != writer->place) {
        text_string(text, zone_name(chunk->zone));
        text_string(text, " : ");
        text_hex_upper(text, chunk->place);
        text_string(text, "\n");
        writer->place = chunk->place;
    }
    text_hex_upper(text, chunk->start);
    text_string(text, " - ");
    text_hex_upper(text, chunk->start + chunk->requested);
    text_string(text, " : ");
    text_number(text, chunk->requested);
    text_string(text, " bytes\n");
    writer->total += chunk->requested;
    if (writer->more != NULL)
        writer->more->chunk(writer->more->context, text, chunk);
    return text->error;
}

static void put_total(struct writer *writer)
{
    text_string(&writer->text, "Total : ");
    text_number(&writer->text, writer->total);
    text_string(&writer->text, " bytes\n");
    if (writer->more != NULL)
        writer->more->end(writer->more->context, &writer->text);
    text_flush(&writer->text);
}

/* Reuses the buffer: a thread may have little stack. */
static void say_incomplete(struct text *text, const char *function)
{
    text->fd = STDERR_FILENO;
    text->error = 0;
    text_string(text, "ft_malloc: ");
    text_string(text, function);
    text_string(text, ": no memory for the whole list\n");
    text_flush(text);
}

int show_listing_with(int fd, const char *function, const struct show_more *more)
{
    struct writer writer = {.text.fd = fd, .more = more};
    struct listing listing;
    bool complete;
    int error;

    if (fd < 0)
        return EBADF;
    complete = listing_collect(&listing) && (more == NULL || more->complete);
    if (listing_each(&listing, put_chunk, &writer) == 0)
        put_total(&writer);
    listing_end(&listing);
    error = writer.text.error;
    if (complete)
        return error;
    say_incomplete(&writer.text, function);
    return error != 0 ? error : ENOMEM;
}

int show_listing(int fd, const char *function)
{
    return show_listing_with(fd, function, NULL);
}
