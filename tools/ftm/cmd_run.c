/*
 * ftm run: starts a program on the library.
 */
#include "command.h"
#include "run_options.h"
#include "run_server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char help_run[] =
    "usage: ftm run [OPTIONS] [MODE[=VALUE]]... [--] PROGRAM [ARGUMENTS]\n"
    "\n"
    "Starts a program on libft_malloc and libft_malloc_debug.so, with modes. Children and "
    "programs\n"
    "that it executes run on them, too. When a process ends, it waits until ftm has read it.\n"
    "\n"
    "  -o, --output FILE     at the end of each process, writes a snapshot FILE.PID.N, where N\n"
    "                        counts the programs that were executed in the process\n"
    "  --contents            with all memory that the process can write to\n"
    "  --leaks               at the end of each process, looks for leaks as `ftm leaks` does\n"
    "  --suppressions FILE   for --leaks: leaves out what these lines match\n"
    "  --plain               without libft_malloc_debug.so, and so without checks of memcpy and\n"
    "                        the like, and without anything at the end\n"
    "  -q, --quiet           no summaries\n"
    "\n"
    "Modes, which ft_malloc(7) explains, and their values if none is given:\n"
    "  history=256  profile=524288  record=1  guard=1000  fill=AA,55  check=1000  stats=1\n"
    "  harden=1  limit=BYTES  fail=SEED,1/N\n"
    "With -o and no mode, profile is on.\n"
    "\n"
    "Exit status: that of the program, or 128 and the number of the signal that ended it; 23 if\n"
    "it ended with 0 and --leaks found leaks; 126 or 127 if it could not be started; 2 after\n"
    "another error.\n";

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127, BY_SIGNAL = 128, LEAKED = 23 };

static void execute(char **program, const sigset_t *mask)
{
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    (void)execvp(program[0], program);
    say_error(errno, "cannot run %s", program[0]);
    _exit(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

/* A signal from the terminal goes to all its processes; the program decides what it does. */
static void leave_interrupts_to_program(void)
{
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGQUIT, SIG_IGN);
}

static int status_of(int status, const struct run_server *server)
{
    if (WIFSIGNALED(status)) {
        if (!server->options->quiet)
            say("%d was ended by signal %d (%s)", (int)server->program, WTERMSIG(status),
                strsignal(WTERMSIG(status)));
        return BY_SIGNAL + WTERMSIG(status);
    }
    if (WEXITSTATUS(status) == 0 && server->leaked)
        return LEAKED;
    return WEXITSTATUS(status);
}

/* Whether nobody said anything, although the program went well. */
static bool was_not_on_library(const struct run_server *server, int status)
{
    return server->count == 0 && !server->options->plain && WIFEXITED(status) &&
           WEXITSTATUS(status) < NOT_EXECUTABLE;
}

int cmd_run(int argc, char **argv)
{
    struct run_options options = {.output = NULL};
    struct run_server server;
    int status;

    if (!run_options_parse(argc, argv, &options))
        return wrong_usage("run");
    if (!run_libraries_preload(options.plain) || !run_server_begin(&server, &options))
        return EXIT_TROUBLE;
    server.program = fork();
    if (server.program == 0)
        execute(options.program, &server.mask);
    if (server.program < 0) {
        say_error(errno, "cannot start a process");
        return EXIT_TROUBLE;
    }
    leave_interrupts_to_program();
    /* The program's output is its own; what is told of it goes to standard error. */
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    status = run_server_work(&server);
    if (was_not_on_library(&server, status))
        say("%s did not run on the library: it is linked statically, or may not be preloaded",
            options.program[0]);
    status = status_of(status, &server);
    run_server_end(&server);
    return status;
}
