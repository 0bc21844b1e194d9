/*
 * ftm looks into processes that run on libft_malloc. This file finds the command; the commands are
 * in files of their own.
 */
#include "command.h"

#include "ft_malloc.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* In the order in which they are listed. */
static const struct command commands[] = {
    {"run", cmd_run, "start a program on the library, and read it when it ends", help_run},
    {"ps", cmd_ps, "list the processes that run on the library", help_ps},
    {"list", cmd_list, "list live chunks, as show_alloc_mem() does inside", help_list},
    {"who", cmd_who, "say what is at an address", help_who},
    {"hex", cmd_hex, "print the bytes of a chunk or of a range", help_hex},
    {"top", cmd_top, "watch a process, or all that run on the library", help_top},
    {"leaks", cmd_leaks, "find chunks that the program cannot reach any more", help_leaks},
    {"map", cmd_map, "show where the resident memory is", help_map},
    {"profile", cmd_profile, "show who allocates, as a table", help_profile},
    {"diff", cmd_diff, "show what changed between two sources", help_diff},
    {"export", cmd_export, "write a profile for pprof, flame graphs or DHAT", help_export},
    {"set", cmd_set, "set an option of a process while it runs", help_set},
    {"dump", cmd_dump, "write a snapshot of a process", help_dump},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_commands(FILE *file)
{
    (void)fprintf(file, "usage: ftm COMMAND [ARGUMENTS]\n\n"
                        "Looks into processes that run on libft_malloc. SOURCE is the number of a\n"
                        "process, a core file, a snapshot or a recording.\n\n");
    for (unsigned i = 0; i < COMMANDS; i++)
        (void)fprintf(file, "  %-9s %s\n", commands[i].name, commands[i].summary);
    (void)fprintf(file, "\n`ftm COMMAND --help` explains a command. See also ftm(1).\n");
}

static const struct command *find_command(const char *name)
{
    for (unsigned i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Whether --help is among the arguments for ftm itself, which end at "--". */
static int asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            return 1;
    return 0;
}

static int print_help(const struct command *command)
{
    (void)fputs(command->help, stdout);
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_TROUBLE;
}

/* `ftm help COMMAND`, or without a command. */
static int help(int argc, char **argv)
{
    const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;

    if (command != NULL)
        return print_help(command);
    if (argc > 1) {
        say("there is no command %s", argv[1]);
        return EXIT_TROUBLE;
    }
    print_commands(stdout);
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        print_commands(stderr);
        return EXIT_TROUBLE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0)
        return help(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("ftm " FT_MALLOC_VERSION);
        return fflush(stdout) == 0 ? EXIT_FINE : EXIT_TROUBLE;
    }
    command = find_command(argv[1]);
    if (command == NULL) {
        say("there is no command %s; `ftm help` lists them", argv[1]);
        return EXIT_TROUBLE;
    }
    if (asks_for_help(argc - 1, argv + 1))
        return print_help(command);
    optind = 0;
    return command->run(argc - 1, argv + 1);
}
