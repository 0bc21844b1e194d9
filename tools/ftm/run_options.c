/*
 * The command line of `ftm run`, and the environment that it makes.
 */
#include "run_options.h"

#include "command.h"
#include "memory.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* The modes that can be asked for; without a value they get this one. NULL: a value is needed. */
static const struct mode {
    const char *name, *value;
} modes[] = {
    {"history", "256"}, {"profile", "524288"}, {"record", "1"}, {"guard", "1000"},
    {"fill", "AA,55"},  {"check", "1000"},     {"stats", "1"},  {"harden", "1"},
    {"limit", NULL},    {"fail", NULL},
};

/* Returns the mode that the word asks for, "history" or "history=10", or NULL. */
static const struct mode *mode_of(const char *word)
{
    size_t length = strcspn(word, "=");

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strlen(modes[i].name) == length && strncmp(modes[i].name, word, length) == 0)
            return &modes[i];
    return NULL;
}

static bool set_mode(const struct mode *mode, const char *word)
{
    const char *given = strchr(word, '='), *value = given != NULL ? given + 1 : mode->value;
    char *variable = memory_format("FT_MALLOC_%s", mode->name);
    bool done = value != NULL;

    for (char *at = variable; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    if (value == NULL)
        say("the mode %s needs a value: %s=VALUE", mode->name, mode->name);
    else
        done = setenv(variable, value, 1) == 0;
    free(variable);
    return done;
}

static bool parse_options(int argc, char **argv, struct run_options *options)
{
    enum { CONTENTS = 1, LEAKS, SUPPRESSIONS, PLAIN };
    static const struct option known[] = {{"output", required_argument, NULL, 'o'},
                                          {"contents", no_argument, NULL, CONTENTS},
                                          {"leaks", no_argument, NULL, LEAKS},
                                          {"suppressions", required_argument, NULL, SUPPRESSIONS},
                                          {"plain", no_argument, NULL, PLAIN},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {NULL, 0, NULL, 0}};
    int option;

    /* "+": the program's own options are not ours. */
    while ((option = getopt_long(argc, argv, "+o:q", known, NULL)) != -1) {
        if (option == 'o')
            options->output = optarg;
        else if (option == 'q')
            options->quiet = true;
        else if (option == CONTENTS)
            options->contents = true;
        else if (option == LEAKS)
            options->leaks = true;
        else if (option == SUPPRESSIONS)
            options->suppressions = optarg;
        else if (option == PLAIN)
            options->plain = true;
        else
            return false;
    }
    return true;
}

static bool take_program(char **program, bool any, struct run_options *options)
{
    options->program = program;
    if (*program == NULL) {
        say("run needs a program");
        return false;
    }
    /* A recording without stacks would not say much. */
    return any || options->output == NULL || setenv("FT_MALLOC_PROFILE", "524288", 0) == 0;
}

/* Options and modes may come in any order, up to "--" or the first word that is neither. */
bool run_options_parse(int argc, char **argv, struct run_options *options)
{
    bool any = false;

    while (parse_options(argc, argv, options)) {
        const char *word = argv[optind];
        bool last = word == NULL || strcmp(argv[optind - 1], "--") == 0;
        const struct mode *mode = last ? NULL : mode_of(word);

        if (mode == NULL && !last && strchr(word, '=') != NULL) {
            say("there is no mode %.*s", (int)strcspn(word, "="), word);
            return false;
        }
        if (mode == NULL)
            return take_program(argv + optind, any, options);
        if (!set_mode(mode, word))
            return false;
        any = true;
        /* getopt_long() begins afresh behind the mode, which takes the place of a name. */
        argc -= optind;
        argv += optind;
        optind = 0;
    }
    return false;
}
