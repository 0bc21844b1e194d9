/*
 * ftm leaks: what the program cannot reach any more.
 */
#include "command.h"
#include "heuristic.h"
#include "leaks.h"
#include "view.h"

#include <getopt.h>
#include <string.h>

const char help_leaks[] =
    "usage: ftm leaks [OPTIONS] SOURCE\n\n"
    "Looks for live chunks that the program cannot reach: no pointer in registers, stacks,\n"
    "thread-local and global variables, mappings, or reachable chunks leads to them. The words\n"
    "are Valgrind's. A process is not stopped; what is lost in several passes is reported.\n"
    "A snapshot must have been written with contents.\n\n"
    "      --suppressions FILE   leave out leaks that match lines leak:PATTERN (repeatable)\n"
    "      --show KINDS          records for definite,possible (default), indirect, reachable,\n"
    "                            suppressed, all, none\n"
    "      --errors KINDS        which kinds set the exit status (default: definite)\n"
    "      --exit-code N         the exit status if there are such leaks (default: 23)\n"
    "      --heuristics NAMES    which pointers into a chunk count as one to its start:\n"
    "                            stdstring,length64,newarray,multipleinheritance,dtv, all\n"
    "                            (default), none\n"
    "      --stop                stop the process meanwhile, and look at registers, too\n"
    "      --passes N            passes at most over a process (default: 3)\n"
    "      --json                print JSON\n\n"
    "Exit status: 0, N if there are leaks, or 2 if the source cannot be read.\n";

enum { EXIT_LEAKS = 23, PASSES = 3, PASSES_MAX = 100 };

static bool kind_named(const char *name, size_t length, unsigned *out)
{
    static const struct {
        const char *name;
        unsigned kinds;
    } names[] = {
        {"definite", LEAKS_DEFINITE},
        {"indirect", LEAKS_INDIRECT},
        {"possible", LEAKS_POSSIBLE},
        {"reachable", LEAKS_REACHABLE},
        {"suppressed", LEAKS_SUPPRESSED},
        {"none", 0},
        {"all", LEAKS_DEFINITE | LEAKS_INDIRECT | LEAKS_POSSIBLE | LEAKS_REACHABLE},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == length && strncmp(names[i].name, name, length) == 0) {
            *out |= names[i].kinds;
            return true;
        }
    return false;
}

/* Reads a list of names with commas between them. */
static bool read_names(const char *text, bool (*named)(const char *, size_t, unsigned *),
                       unsigned *out)
{
    *out = 0;
    for (;;) {
        size_t length = strcspn(text, ",");

        if (!named(text, length, out))
            return false;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

static bool read_small(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    return parse_number(text, out) && *out >= least && *out <= most;
}

/* Returns false if the value of the option means nothing. */
static bool read_option(int option, struct leaks_options *options)
{
    uint64_t number = 0;

    switch (option) {
    case 'w':
        return read_names(optarg, kind_named, &options->show);
    case 'e':
        return read_names(optarg, kind_named, &options->errors);
    case 'h':
        return read_names(optarg, heuristic_named, &options->heuristics);
    case 'x':
        if (!read_small(optarg, 0, 255, &number))
            return false;
        options->exit_code = (int)number;
        return true;
    case 'p':
        if (!read_small(optarg, 1, PASSES_MAX, &number))
            return false;
        options->passes = (unsigned)number;
        return true;
    case 't':
        return options->stop = true;
    default:
        return options->json = true;
    }
}

static int read_options(int argc, char **argv, struct leaks_options *options)
{
    static const struct option names[] = {
        {"suppressions", required_argument, NULL, 's'},
        {"show", required_argument, NULL, 'w'},
        {"errors", required_argument, NULL, 'e'},
        {"exit-code", required_argument, NULL, 'x'},
        {"heuristics", required_argument, NULL, 'h'},
        {"stop", no_argument, NULL, 't'},
        {"passes", required_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == '?')
            return wrong_usage("leaks");
        if (option == 's') {
            if (!suppressions_read(&options->suppressions, optarg, stderr))
                return EXIT_TROUBLE;
        } else if (!read_option(option, options)) {
            say("%s is no value for this option", optarg);
            return wrong_usage("leaks");
        }
    }
    if (optind + 1 == argc)
        return EXIT_FINE;
    say("give one process, core file, snapshot or recording");
    return wrong_usage("leaks");
}

static bool has_errors(const struct leaks *leaks, unsigned errors)
{
    for (unsigned kind = 0; kind < MARK_KINDS; kind++)
        if ((errors >> kind & 1) != 0 && leaks->sums[kind].blocks > 0)
            return true;
    return false;
}

static int look(const char *name, struct leaks_options *options)
{
    struct leaks leaks;
    int status;

    if (!leaks_find(name, options, &leaks))
        return EXIT_TROUBLE;
    warn_unread(leaks.target.view);
    status = has_errors(&leaks, options->errors) ? options->exit_code : EXIT_FINE;
    if (!leaks_print(&leaks, options))
        status = EXIT_TROUBLE;
    leaks_free(&leaks);
    return status;
}

int cmd_leaks(int argc, char **argv)
{
    struct leaks_options options = {
        .heuristics = MARK_HEURISTICS,
        .show = LEAKS_DEFINITE | LEAKS_POSSIBLE,
        .errors = LEAKS_DEFINITE,
        .passes = PASSES,
        .exit_code = EXIT_LEAKS,
    };
    int status = read_options(argc, argv, &options);

    if (status == EXIT_FINE)
        status = look(argv[optind], &options);
    suppressions_free(&options.suppressions);
    return status;
}
