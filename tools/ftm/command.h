/*
 * The commands of ftm. Each is a file cmd_NAME.c with a function and the text of its --help; main.c
 * has the table of them.
 */
#ifndef FTM_COMMAND_H
#define FTM_COMMAND_H

/* What a command returns, and so the exit status of ftm. */
enum {
    EXIT_FINE = 0,
    EXIT_FOUND_NOTHING = 1, /* it worked, and the answer is no: no such chunk, no process */
    EXIT_TROUBLE = 2 /* after a line on stderr: wrong usage, or a source that is unreadable */
};

struct command {
    const char *name;
    /* argv[0] is the name of the command; getopt_long() begins afresh. */
    int (*run)(int argc, char **argv);
    const char *summary; /* one line without a full stop */
    const char *help;    /* printed for --help: usage, options, exit status */
};

/* Prints "ftm: ", the text and a newline to stderr. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints "ftm: ", the text, ": ", what the error number means, and a newline to stderr. */
void say_error(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * For what getopt_long() refuses or a command finds wrong in its arguments: points to --help.
 * Returns EXIT_TROUBLE.
 */
int wrong_usage(const char *command);

int cmd_diff(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_hex(int argc, char **argv);
int cmd_leaks(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_map(int argc, char **argv);
int cmd_profile(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_who(int argc, char **argv);

extern const char help_hex[], help_list[], help_ps[], help_who[];
extern const char help_dump[], help_run[], help_set[];
extern const char help_leaks[], help_map[];
extern const char help_diff[], help_export[], help_profile[], help_top[];

#endif
