/*
 * ftm top: watches a process, or the list of all that run on the library.
 */
#include "command.h"
#include "top.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char help_top[] =
    "usage: ftm top [OPTIONS] [PID]\n\n"
    "Watches a process: live and resident bytes, rates, zones, size classes, arenas, threads,\n"
    "and call sites if a mode notes them. Without PID, lists the processes on the library; Enter\n"
    "watches one. The keys are those of htop; F1 lists them.\n\n"
    "  -d, --delay SECONDS   time between two looks (default: 2)\n"
    "  -b, --batch           print text instead of filling the screen\n"
    "  -n, --looks N         batch: how many looks, 0 for no end (default: 1)\n"
    "  -r, --rows N          batch: rows of each table at most, 0 for all (default: 10)\n"
    "      --json            batch: print a JSON object for each look, on a line of its own\n\n"
    "Exit status: 0, or 2 if the process cannot be read.\n";

struct top_options {
    int pid;
    double seconds;
    bool batch, json;
    unsigned long looks, rows;
};

static bool read_number(const char *text, unsigned long *number)
{
    char *end;

    *number = strtoul(text, &end, 10);
    return end != text && *end == '\0' && text[0] != '-';
}

static bool read_option(int option, struct top_options *options)
{
    char *end;

    switch (option) {
    case 'd':
        options->seconds = strtod(optarg, &end);
        return end != optarg && *end == '\0' && options->seconds >= 0.01 &&
               options->seconds <= 3600;
    case 'n':
        return read_number(optarg, &options->looks);
    case 'r':
        return read_number(optarg, &options->rows);
    case 'j':
        options->json = true;
        options->batch = true;
        return true;
    case 'b':
        options->batch = true;
        return true;
    default:
        return false;
    }
}

static bool read_options(int argc, char **argv, struct top_options *options)
{
    static const struct option names[] = {
        {"delay", required_argument, NULL, 'd'}, {"batch", no_argument, NULL, 'b'},
        {"looks", required_argument, NULL, 'n'}, {"rows", required_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},        {NULL, 0, NULL, 0},
    };
    unsigned long pid;
    int option;

    while ((option = getopt_long(argc, argv, "d:bn:r:", names, NULL)) != -1)
        if (!read_option(option, options)) {
            if (option != '?')
                say("%s is no value for this option", optarg);
            return false;
        }
    if (optind == argc)
        return true;
    if (optind + 1 < argc || !read_number(argv[optind], &pid) || pid == 0 || pid > 1U << 30) {
        say("%s is no number of a process", argv[argc - 1]);
        return false;
    }
    options->pid = (int)pid;
    return true;
}

static void wait_for(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds};

    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL);
}

static void print_look(const struct top_options *options, const struct top *top,
                       const struct top_list *list, struct out *out)
{
    struct json json;

    json_begin(&json, out);
    if (options->json && top != NULL) {
        top_json(top, &json, options->rows);
    } else if (options->json) {
        json_object(&json, NULL);
        panel_json(&list->panel, &json, options->rows);
        json_close(&json);
    } else if (top != NULL) {
        top_print(top, out, options->rows);
    } else {
        panel_print(&list->panel, out, options->rows);
    }
}

/* Prints looks until there have been enough, the process ends, or nobody reads them. */
static int run_batch(const struct top_options *options)
{
    struct out *out = out_begin();
    struct top top = {0};
    struct top_list list = {0};
    bool alive = options->pid == 0 || top_open(&top, options->pid), looked = false;

    top_list_begin(&list);
    for (unsigned long i = 0; alive && (options->looks == 0 || i < options->looks); i++) {
        if (i > 0)
            wait_for(options->seconds);
        if (options->pid == 0)
            top_list_look(&list);
        else
            alive = top_look(&top);
        if (!alive)
            break;
        looked = true;
        if (i > 0 && !options->json)
            out_text(out, "\n");
        print_look(options, options->pid == 0 ? NULL : &top, &list, out);
        out_flush(out);
        alive = out->error == 0;
    }
    if (looked && !alive && out->error == 0)
        say("process %d has ended", options->pid);
    top_close(&top);
    top_list_end(&list);
    return out_end(out) && looked ? EXIT_FINE : EXIT_TROUBLE;
}

int cmd_top(int argc, char **argv)
{
    struct top_options options = {.seconds = 2, .looks = 1, .rows = 10};

    if (!read_options(argc, argv, &options))
        return wrong_usage("top");
    if (options.batch)
        return run_batch(&options);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        say("this is no terminal; use --batch or --json");
        return EXIT_TROUBLE;
    }
    return top_screen(options.pid, options.seconds);
}
