/*
 * The snapshot, the summary and the leaks of one process.
 */
#include "run_stream.h"

#include "command.h"
#include "memory.h"
#include "options.h"
#include "out.h"
#include "run_protocol.h"
#include "snapshot_write.h"
#include "source.h"
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Process and sequence are in every name, so that no two streams write to one file. */
static char *path_of(const struct run_server *server, const struct run_stream *stream)
{
    return memory_format("%s.%d.%u", server->options->output, (int)stream->pid, stream->sequence);
}

/* Of a process that nobody may read, a snapshot is needed for the rest, too. */
static char *temporary_of(const struct run_stream *stream)
{
    return memory_format("/tmp/ftm-run.%d.%d.%u", (int)getpid(), (int)stream->pid,
                         stream->sequence);
}

static bool is_wanted(const struct run_server *server, const struct run_stream *stream)
{
    return !server->options->quiet && (stream->pid == server->program ||
                                       server->options->output != NULL || server->options->leaks);
}

static void put_summary(const struct run_server *server, const struct run_stream *stream,
                        struct view *view, const char *path, bool crashed)
{
    static const char *const names[ZONES] = {"TINY", "SMALL", "LARGE"};
    uint64_t chunks = 0, bytes = 0;
    struct view_stats stats;
    char live[SIZE_TEXT];

    if (!is_wanted(server, stream) || !view_stats(view, &stats))
        return;
    for (unsigned zone = 0; zone < ZONES; zone++) {
        chunks += stats.zone[zone].chunks;
        bytes += stats.zone[zone].requested;
    }
    say("%d %s with %s live in %" PRIu64 " chunks: %s%s%s", (int)stream->pid,
        crashed ? "crashed" : "ended", size_text(bytes, live), chunks,
        source_command(view_source(view)),
        path == NULL ? "" : "; snapshot: ", path == NULL ? "" : path);
    for (unsigned zone = 0; zone < ZONES && stream->pid == server->program; zone++)
        say("%d   %-5s %10" PRIu64 " chunks, %s, in %" PRIu64 " heaps or mappings",
            (int)stream->pid, names[zone], stats.zone[zone].chunks,
            size_text(stats.zone[zone].requested, live), stats.zone[zone].heaps);
}

/* What `ftm leaks` prints and returns, on stderr. */
static void put_leaks(struct run_server *server, const char *source)
{
    char command[] = "leaks", option[] = "--suppressions";
    char *file = memory_format(
        "%s", server->options->suppressions == NULL ? "" : server->options->suppressions);
    char *name = memory_format("%s", source);
    char *plain[] = {command, name, NULL}, *suppressing[] = {command, option, file, name, NULL};
    bool suppresses = server->options->suppressions != NULL;

    optind = 0;
    if (server->options->leaks &&
        cmd_leaks(suppresses ? 4 : 2, suppresses ? suppressing : plain) != EXIT_FINE)
        server->leaked = true;
    free(file);
    free(name);
}

/* What `ftm who` prints of the chunk: who allocated it and who freed it, by name. */
static void put_chunk(const struct run_server *server, const char *source, uint64_t chunk)
{
    char *address = memory_format("%#" PRIx64, chunk), *name = memory_format("%s", source);
    char command[] = "who";
    char *words[] = {command, name, address, NULL};

    optind = 0;
    if (chunk != 0 && !server->options->quiet)
        (void)cmd_who(3, words);
    free(address);
    free(name);
}

bool run_stream_read(struct run_server *server, struct run_stream *stream,
                     const struct run_message *message)
{
    char *path = server->options->output == NULL ? NULL : path_of(server, stream);
    unsigned how = server->options->contents ? SNAPSHOT_WITH_CONTENTS : 0;
    struct snapshot_written written;
    struct view *view;
    int error;
    struct source *source = source_open_quietly(stream->pid, &error);
    char name[16];

    if (source == NULL) {
        free(path);
        return false;
    }
    view = view_open(source);
    if (view != NULL) {
        if (path != NULL && !snapshot_write(view, path, how, &written)) {
            free(path);
            path = NULL;
        }
        put_summary(server, stream, view, path, message->event == RUN_CRASHING);
        view_close(view);
        (void)snprintf(name, sizeof name, "%d", (int)stream->pid);
        if (message->event == RUN_CRASHING)
            put_chunk(server, name, message->chunk);
        else
            put_leaks(server, name);
    }
    source_close(source);
    free(path);
    return true;
}

int run_stream_create(struct run_server *server, struct run_stream *stream)
{
    char *path = server->options->output == NULL ? temporary_of(stream) : path_of(server, stream);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (file < 0)
        say_error(errno, "cannot write %s", path);
    free(path);
    return file;
}

void run_stream_written(struct run_server *server, struct run_stream *stream)
{
    bool kept = server->options->output != NULL;
    char *path = kept ? path_of(server, stream) : temporary_of(stream);
    struct target target;

    if (target_open(path, &target)) {
        put_summary(server, stream, target.view, kept ? path : NULL, false);
        target_close(&target);
        put_leaks(server, path);
    }
    if (!kept)
        (void)unlink(path);
    free(path);
}

void run_stream_lost(struct run_server *server, struct run_stream *stream, bool executed)
{
    if (!is_wanted(server, stream) || executed)
        return;
    say("%d ended without being read: by a signal, or after %s", (int)stream->pid,
        stream->pid == server->program ? "it closed the way to ftm" : "the program");
}
