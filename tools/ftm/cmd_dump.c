/*
 * ftm dump: snapshots of a process that goes on.
 */
#include "command.h"
#include "memory.h"
#include "options.h"
#include "out.h"
#include "snapshot_write.h"
#include "source.h"
#include "view.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

const char help_dump[] =
    "usage: ftm dump [OPTIONS] -o FILE PID\n"
    "\n"
    "Writes a snapshot of a process: the allocator's records, the tables of the modes, mappings,\n"
    "threads and symbols. The other commands read it, also on another machine. The process is\n"
    "not stopped and need not be prepared. SOURCE may also be a core file.\n"
    "\n"
    "  -o, --output FILE   where to; an existing file is replaced when the snapshot is complete\n"
    "  --contents          with all memory that the process can write to, as `ftm leaks` and\n"
    "                      `ftm hex` need it\n"
    "  --uncompressed      for programs other than ftm: not compressed by zstd\n"
    "  --every SECONDS     one after the other: FILE.1, FILE.2 and so on, until interrupted or\n"
    "                      until the process ends\n"
    "  --count N           with --every: at most N\n"
    "  --peak              waits for the next peak of the live bytes: until they have fallen by a\n"
    "                      tenth from the highest value, of which FILE is then a snapshot\n"
    "  --json              says as JSON what was written\n"
    "\n"
    "Exit status: 0; 1 with --peak or --every if the process ended before a snapshot was\n"
    "written; 2 after an error.\n";

struct dump {
    const char *path, *name;
    unsigned how; /* SNAPSHOT_WITH_CONTENTS and the like */
    bool peak, json;
    uint64_t seconds, count;
};

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void sleep_for(uint64_t milliseconds)
{
    const struct timespec time = {(time_t)(milliseconds / 1000),
                                  (long)(milliseconds % 1000) * 1000000};

    (void)nanosleep(&time, NULL);
}

static void tell(const struct dump *dump, const char *path, const struct snapshot_written *written)
{
    struct out *out = out_begin();
    char size[SIZE_TEXT];
    struct json json;

    if (dump->json) {
        json_begin(&json, out);
        json_object(&json, NULL);
        json_string(&json, "file", path);
        json_number(&json, "bytes", written->bytes);
        json_number(&json, "sections", written->sections);
        json_close(&json);
    } else {
        out_format(out, "%s: %s\n", path, size_text(written->bytes, size));
    }
    out_flush(out);
}

static int write_once(const struct dump *dump, const char *path)
{
    struct snapshot_written written;
    struct target target;
    bool complete;

    if (!target_open(dump->name, &target))
        return EXIT_TROUBLE;
    complete = snapshot_write(target.view, path, dump->how, &written);
    target_close(&target);
    if (complete)
        tell(dump, path, &written);
    return complete ? EXIT_FINE : EXIT_TROUBLE;
}

/* Opens the process anew. Returns NULL, and says nothing, if it has ended. */
static struct source *look_again(const struct dump *dump)
{
    int error;

    return source_open_quietly((pid_t)strtol(dump->name, NULL, 10), &error);
}

static int write_often(const struct dump *dump)
{
    uint64_t done = 0;
    int status = EXIT_FOUND_NOTHING;

    while (interrupted == 0 && (dump->count == 0 || done < dump->count)) {
        struct source *source = look_again(dump);
        char *path;

        if (source == NULL)
            break;
        source_close(source);
        path = memory_format("%s.%" PRIu64, dump->path, ++done);
        status = write_once(dump, path);
        free(path);
        if (status != EXIT_FINE)
            break;
        if (dump->count == 0 || done < dump->count)
            sleep_for(dump->seconds * 1000);
    }
    return status;
}

/* Returns false if the process has ended. */
static bool live_bytes(const struct dump *dump, uint64_t *bytes)
{
    struct source *source = look_again(dump);
    struct view *view = source == NULL ? NULL : view_open(source);
    struct view_stats stats;
    bool known = view != NULL && view_stats(view, &stats);

    *bytes = 0;
    for (unsigned zone = 0; known && zone < ZONES; zone++)
        *bytes += stats.zone[zone].requested;
    if (view != NULL)
        view_close(view);
    source_close(source);
    return known;
}

/* Live bytes have fallen clearly when a tenth of the highest value is gone. */
static bool fallen(uint64_t now, uint64_t highest)
{
    return now < highest - highest / 10;
}

/*
 * Writes a snapshot in place of the last one. Writing takes a while: if much was freed before it
 * was done, the last one is nearer to the peak, and stays.
 */
static int write_higher(const struct dump *dump, uint64_t highest, bool first,
                        struct snapshot_written *written)
{
    struct snapshot_written higher;
    struct target target;
    bool complete;
    char *path;
    uint64_t now;

    /* A process that has ended meanwhile is none to complain about. */
    if (!target_open(dump->name, &target))
        return first ? EXIT_FOUND_NOTHING : EXIT_FINE;
    path = memory_format("%s.higher", dump->path);
    complete = snapshot_write(target.view, path, dump->how, &higher);
    target_close(&target);
    if (complete && !first && (!live_bytes(dump, &now) || fallen(now, highest))) {
        (void)unlink(path);
    } else if (complete && rename(path, dump->path) != 0) {
        say_error(errno, "cannot write %s", dump->path);
        (void)unlink(path);
        complete = false;
    } else if (complete) {
        *written = higher;
    }
    free(path);
    return complete ? EXIT_FINE : EXIT_TROUBLE;
}

/*
 * Nobody knows a peak before it is over. So each value that is clearly higher than all before is
 * written.
 */
static int write_peak(const struct dump *dump)
{
    enum { LOOK_EVERY = 50, CLEARLY_HIGHER = 2 };
    struct snapshot_written written = {0, 0};
    uint64_t highest = 0, recorded = 0, now;
    int status = EXIT_FOUND_NOTHING;

    while (interrupted == 0 && live_bytes(dump, &now)) {
        highest = now > highest ? now : highest;
        if (recorded != 0 && fallen(now, highest))
            break;
        if (now > recorded + recorded * CLEARLY_HIGHER / 100) {
            status = write_higher(dump, highest, recorded == 0, &written);
            recorded = now;
        }
        if (status == EXIT_TROUBLE)
            return status;
        sleep_for(LOOK_EVERY);
    }
    if (status == EXIT_FINE)
        tell(dump, dump->path, &written);
    return status;
}

enum { EVERY = 1, COUNT, PEAK, CONTENTS, PLAIN, JSON };

/* Returns false if it is no option, or has a wrong value. */
static bool take_option(struct dump *dump, int option)
{
    switch (option) {
    case 'o':
        dump->path = optarg;
        return true;
    case EVERY:
        return parse_number(optarg, &dump->seconds) && dump->seconds > 0;
    case COUNT:
        return parse_number(optarg, &dump->count) && dump->count > 0;
    case PEAK:
        dump->peak = true;
        return true;
    case CONTENTS:
        dump->how |= SNAPSHOT_WITH_CONTENTS;
        return true;
    case PLAIN:
        dump->how |= SNAPSHOT_PLAIN;
        return true;
    case JSON:
        dump->json = true;
        return true;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct dump *dump)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},  {"every", required_argument, NULL, EVERY},
        {"count", required_argument, NULL, COUNT}, {"peak", no_argument, NULL, PEAK},
        {"contents", no_argument, NULL, CONTENTS}, {"uncompressed", no_argument, NULL, PLAIN},
        {"json", no_argument, NULL, JSON},         {NULL, 0, NULL, 0}};
    bool right = true;
    int option;

    while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1)
        right = take_option(dump, option) && right;
    dump->name = optind < argc ? argv[optind] : NULL;
    return right && dump->path != NULL && optind == argc - 1 &&
           !(dump->peak && dump->seconds != 0) && (dump->count == 0 || dump->seconds != 0);
}

int cmd_dump(int argc, char **argv)
{
    const struct sigaction on_interrupt = {.sa_handler = note_interrupt};
    struct dump dump = {.path = NULL};

    if (!parse(argc, argv, &dump)) {
        say("dump needs -o FILE and one source, and no options that exclude each other");
        return wrong_usage("dump");
    }
    if (!dump.peak && dump.seconds == 0)
        return write_once(&dump, dump.path);
    (void)sigaction(SIGINT, &on_interrupt, NULL);
    (void)sigaction(SIGTERM, &on_interrupt, NULL);
    return dump.peak ? write_peak(&dump) : write_often(&dump);
}
