/*
 * What `ftm run` starts and `ftm dump` reads in the tests: processes of all kinds.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MARKED = 54321 };

void *kept[64];

static void wait_for(pid_t child)
{
    int status;

    if (child < 0 || waitpid(child, &status, 0) != child)
        exit(99);
}

/* Prints the numbers of this process, of one that is forked, and of one that executes a program. */
static int tree(char *self)
{
    pid_t forked, executed;

    forked = fork();
    if (forked == 0)
        exit(malloc(100) == NULL);
    wait_for(forked);
    executed = fork();
    if (executed == 0)
        execl(self, self, "nothing", (char *)NULL);
    wait_for(executed);
    (void)printf("%d %d %d\n", (int)getpid(), (int)forked, (int)executed);
    return 0;
}

static int quick(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(malloc(100) == NULL);
    wait_for(child);
    return 0;
}

static int use_vfork(void)
{
    pid_t child = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork): that is tested

    if (child == 0)
        _exit(0);
    wait_for(child);
    return 5;
}

static int list(void)
{
    for (size_t n = 0; n < 10; n++)
        kept[n] = malloc(100000 + n);
    return 0;
}

static int leak(void)
{
    char *chunk = malloc(12345);

    memset(chunk, 1, 12345);
    chunk = NULL;
    /* So that the pointer is not left on the stack. */
    for (unsigned n = 0; n < 64; n++)
        kept[n] = malloc(n);
    return 0;
}

static int undumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void say_ready(void)
{
    (void)puts("ready");
    (void)fflush(stdout);
}

static int stay(void)
{
    for (size_t n = 0; n < 64; n++)
        kept[n] = malloc(n * n * n);
    kept[0] = calloc(1, MARKED);
    memcpy(kept[0], "mark", 4);
    say_ready();
    (void)getchar();
    return 0;
}

static void handle(int number)
{
    (void)number;
    (void)!write(STDOUT_FILENO, "handled\n", 8);
}

static int handler(void)
{
    (void)signal(SIGUSR1, handle);
    return stay();
}

/* Allocates and frees for ever. */
static void busy(void)
{
    say_ready();
    for (unsigned n = 0;; n++) {
        void **slot = &kept[n * 7 % 64];

        free(*slot);
        *slot = malloc(16 + n % 5000);
        if (n % 64 == 0)
            (void)usleep(100);
    }
}

/* Waits for a line, grows to 40 MiB, waits for another line, and shrinks again. */
static int peak(void)
{
    say_ready();
    while (getchar() != '\n')
        ;
    for (size_t n = 0; n < 40; n++) {
        kept[n] = calloc(1, 1 << 20);
        (void)usleep(20000);
    }
    (void)getchar();
    for (size_t n = 0; n < 40; n++)
        free(kept[n]);
    (void)sleep(60);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    /* So that getchar() allocates nothing after "ready". */
    (void)setvbuf(stdin, NULL, _IONBF, 0);

    if (strcmp(what, "tree") == 0)
        return tree(argv[0]);
    if (strcmp(what, "quick") == 0)
        return quick();
    if (strcmp(what, "vfork") == 0)
        return use_vfork();
    if (strcmp(what, "list") == 0)
        return list();
    if (strcmp(what, "leak") == 0)
        return leak();
    if (strcmp(what, "undumpable") == 0)
        return undumpable();
    if (strcmp(what, "wait") == 0)
        return stay();
    if (strcmp(what, "handler") == 0)
        return handler();
    if (strcmp(what, "busy") == 0)
        busy();
    if (strcmp(what, "peak") == 0)
        return peak();
    return strcmp(what, "nothing") == 0 ? 0 : 98;
}
