/*
 * ftm map: where the memory is.
 */
#include "command.h"
#include "map.h"

#include <getopt.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const char help_map[] =
    "usage: ftm map [OPTIONS] SOURCE\n\n"
    "Shows where a process's resident memory is: a sum that adds up to what the kernel counts,\n"
    "which stacks keep nearly empty slabs, and each heap as cells.\n\n"
    "      --by WHAT          occupancy (default), class, age or resident\n"
    "      --pages            a cell for each page instead of each 16 KiB\n"
    "      --heap ADDRESS     draw only the heap or LARGE chunk around the address\n"
    "      --summary          draw nothing\n"
    "      --nearly-empty N   slabs with at most N percent of their chunks live (default: 25)\n"
    "      --pins N           rows of stacks that keep them (default: 10)\n"
    "      --width N          cells in a line (default: what fits, 64 without a terminal)\n"
    "      --color WHEN       always, never, or auto: on a terminal (default)\n"
    "      --json             print JSON\n\n"
    "Exit status: 0, or 2 if the source cannot be read.\n";

enum { PINS = 10, NEARLY_EMPTY = 25, WIDTH = 64, WIDTH_MAX = 4096, MARGIN = 18 };

static bool read_by(const char *text, enum map_by *by)
{
    static const char *const names[] = {[MAP_OCCUPANCY] = "occupancy",
                                        [MAP_CLASS] = "class",
                                        [MAP_AGE] = "age",
                                        [MAP_RESIDENT] = "resident"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            *by = (enum map_by)i;
            return true;
        }
    return false;
}

static bool read_color(const char *text, bool *color)
{
    *color = strcmp(text, "always") == 0 || (strcmp(text, "auto") == 0 && isatty(1) == 1);
    return *color || strcmp(text, "never") == 0 || strcmp(text, "auto") == 0;
}

static bool read_small(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    return parse_number(text, out) && *out >= least && *out <= most;
}

/* Returns false if the value of the option means nothing. */
static bool read_value(int option, struct map_options *options)
{
    uint64_t number = 0;
    bool fine = true;

    switch (option) {
    case 'b':
        return read_by(optarg, &options->by);
    case 'c':
        return read_color(optarg, &options->color);
    case 'h':
        return parse_address(optarg, &options->heap);
    case 'n':
        fine = read_small(optarg, 0, 100, &number);
        options->nearly_empty = (unsigned)number;
        return fine;
    case 'i':
        fine = read_small(optarg, 0, SIZE_MAX, &number);
        options->pins = number;
        return fine;
    default:
        fine = read_small(optarg, 1, WIDTH_MAX, &number);
        options->width = (unsigned)number;
        return fine;
    }
}

static bool read_option(int option, struct map_options *options)
{
    switch (option) {
    case 'p':
        return options->pages = true;
    case 's':
        return options->summary = true;
    case 'j':
        return options->json = true;
    default:
        return read_value(option, options);
    }
}

/* As many cells as fit, a multiple of 8. */
static unsigned usual_width(void)
{
    struct winsize size;

    if (isatty(1) != 1 || ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_col < MARGIN + 8)
        return WIDTH;
    return (size.ws_col - MARGIN) / 8 * 8;
}

static bool read_options(int argc, char **argv, struct map_options *options)
{
    static const struct option names[] = {
        {"by", required_argument, NULL, 'b'},
        {"pages", no_argument, NULL, 'p'},
        {"heap", required_argument, NULL, 'h'},
        {"summary", no_argument, NULL, 's'},
        {"nearly-empty", required_argument, NULL, 'n'},
        {"pins", required_argument, NULL, 'i'},
        {"width", required_argument, NULL, 'w'},
        {"color", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == '?')
            return false;
        if (!read_option(option, options)) {
            say("%s is no value for this option", optarg);
            return false;
        }
    }
    if (optind + 1 == argc)
        return true;
    say("give one process, core file, snapshot or recording");
    return false;
}

int cmd_map(int argc, char **argv)
{
    struct map_options options = {.by = MAP_OCCUPANCY,
                                  .color = isatty(1) == 1,
                                  .width = usual_width(),
                                  .pins = PINS,
                                  .nearly_empty = NEARLY_EMPTY};
    struct map map;
    bool fine;

    if (!read_options(argc, argv, &options))
        return wrong_usage("map");
    if (!map_read(argv[optind], options.nearly_empty, &map))
        return EXIT_TROUBLE;
    warn_unread(map.target.view);
    fine = options.json ? map_print_json(&map, &options) : map_print(&map, &options);
    map_free(&map);
    return fine ? EXIT_FINE : EXIT_TROUBLE;
}
