/*
 * ftm export: a profile for other tools.
 */
#include "command.h"
#include "export.h"
#include "profiled.h"
#include "symbols.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef FTM_HAS_ZLIB
#include <zlib.h>
#endif

const char help_export[] =
    "usage: ftm export -f FORMAT [OPTIONS] SOURCE\n\n"
    "Writes the profile of a source for other tools. The program must run with\n"
    "FT_MALLOC_PROFILE or FT_MALLOC_RECORD.\n\n"
    "  -f, --format FORMAT   pprof    compressed profile.proto: pprof, ui.perfetto.dev,\n"
    "                                 speedscope, Pyroscope, Parca\n"
    "                        folded   a line for each stack: flamegraph.pl, inferno,\n"
    "                                 speedscope\n"
    "                        dhat     JSON: valgrind's dh_view.html, Firefox Profiler\n"
    "  -o, --output FILE     the file to write (default: standard output)\n"
    "  --live, --peak, --allocated, --temporary\n"
    "                        folded: which bytes, as `ftm profile` has it (default: --live)\n"
    "      --count           folded: chunks instead of bytes\n"
    "      --min-percent P   folded: leave out stacks with less than this share\n"
    "      --json            the same as -f dhat\n\n"
    "Exit status: 0, or 2 if the source cannot be read, has no profile, or the file cannot be\n"
    "written.\n";

enum format { FORMAT_NONE, FORMAT_PPROF, FORMAT_FOLDED, FORMAT_DHAT };

struct export_options {
    enum format format;
    const char *output;
    struct export export;
};

static bool read_format(const char *name, enum format *format)
{
    static const char *const names[] = {"", "pprof", "folded", "dhat"};

    for (unsigned i = FORMAT_PPROF; i <= FORMAT_DHAT; i++)
        if (strcmp(names[i], name) == 0) {
            *format = (enum format)i;
            return true;
        }
    return false;
}

static bool read_option(int option, struct export_options *options)
{
    char *end;

    switch (option) {
    case 'f':
        return read_format(optarg, &options->format);
    case 'o':
        options->output = optarg;
        return true;
    case 'c':
        options->export.count = true;
        return true;
    case 'm':
        options->export.min_percent = strtod(optarg, &end);
        return end != optarg && *end == '\0' && options->export.min_percent >= 0 &&
               options->export.min_percent <= 100;
    case 'j':
        options->format = FORMAT_DHAT;
        return true;
    default:
        return value_option(option, &options->export.value);
    }
}

static bool read_options(int argc, char **argv, struct export_options *options)
{
    static const struct option names[] = {
        {"format", required_argument, NULL, 'f'},
        {"output", required_argument, NULL, 'o'},
        {"count", no_argument, NULL, 'c'},
        {"min-percent", required_argument, NULL, 'm'},
        {"json", no_argument, NULL, 'j'},
        VALUE_OPTIONS,
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "f:o:", names, NULL)) != -1)
        if (!read_option(option, options)) {
            if (option != '?')
                say("%s is no value for this option", optarg);
            return false;
        }
    if (options->format == FORMAT_NONE)
        say("say which format: -f pprof, folded or dhat");
    else if (optind + 1 != argc)
        say("give one process, core file, snapshot or recording");
    return options->format != FORMAT_NONE && optind + 1 == argc;
}

/* Writes the bytes to the file, compressed. */
static bool put_compressed(const char *bytes, size_t size, FILE *file)
{
#ifdef FTM_HAS_ZLIB
    gzFile compressed;
    bool written;

    fflush(file);
    compressed = gzdopen(dup(fileno(file)), "wb");
    if (compressed == NULL)
        return false;
    written = gzfwrite(bytes, 1, size, compressed) == size;
    return gzclose(compressed) == Z_OK && written;
#else
    return fwrite(bytes, 1, size, file) == size;
#endif
}

static bool put_pprof(const struct export *export, FILE *file)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&bytes, &size);
    bool written = memory != NULL && export_pprof(export, memory);

    if (memory != NULL)
        written = fclose(memory) == 0 && written;
    written = written && put_compressed(bytes, size, file);
    free(bytes);
    return written;
}

static bool put(const struct export_options *options, FILE *file)
{
    switch (options->format) {
    case FORMAT_PPROF:
        return put_pprof(&options->export, file);
    case FORMAT_FOLDED:
        return export_folded(&options->export, file);
    default:
        return export_dhat(&options->export, file);
    }
}

static int write_file(const struct export_options *options)
{
    FILE *file = options->output == NULL ? stdout : fopen(options->output, "we");
    const char *name = options->output == NULL ? "standard output" : options->output;
    bool written;

    if (file == NULL) {
        say_error(errno, "cannot write %s", name);
        return EXIT_TROUBLE;
    }
    errno = 0;
    written = put(options, file);
    written = (file == stdout ? fflush(file) : fclose(file)) == 0 && written;
    if (!written)
        say_error(errno, "cannot write %s", name);
    return written ? EXIT_FINE : EXIT_TROUBLE;
}

int cmd_export(int argc, char **argv)
{
    struct export_options options = {.export = {.value = VALUE_LIVE}};
    struct profiled profiled;
    int status;

    if (!read_options(argc, argv, &options))
        return wrong_usage("export");
    if (options.format == FORMAT_PPROF && options.output == NULL && isatty(STDOUT_FILENO)) {
        say("this would write binary data to the terminal; name a file: -o x.pb.gz");
        return EXIT_TROUBLE;
    }
    if (!profiled_begin(&profiled, argv[optind]))
        return EXIT_TROUBLE;
    options.export.sites = profiled.sites;
    options.export.symbols = profiled.symbols;
    status = write_file(&options);
    profiled_end(&profiled);
    return status;
}
