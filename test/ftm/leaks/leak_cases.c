/*
 * What the cases have in common.
 */
#include "leak_case.h"

#include <alloca.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_DO_LEAK_CHECK ((void)0)
#endif

extern void __lsan_do_leak_check(void) __attribute__((weak));
extern int ft_malloc_dump(int fd, unsigned flags) __attribute__((weak));

void expect(const char *kind, size_t size, unsigned blocks)
{
    char line[100];
    int length = snprintf(line, sizeof line, "expect %s %zu %u\n", kind, size, blocks);

    if (write(1, line, (size_t)length) != length)
        exit(3);
}

APART void *make(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL)
        exit(3);
    return memory;
}

APART void scrub(void)
{
    enum { DEEP = 64 << 10 };

    memset(alloca(DEEP), 0, DEEP);
}

APART void keep(const void *value)
{
    (void)value;
}

/* Writes a snapshot with contents, from inside, if the environment names a file for it. */
static void dump(void)
{
    const char *path = getenv("LEAK_CASES_DUMP");
    int fd;

    if (path == NULL || ft_malloc_dump == NULL)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ft_malloc_dump(fd, 1) != 0)
        exit(3);
    close(fd);
}

static APART void check(void)
{
    char byte;

    if (RUNNING_ON_VALGRIND) {
        VALGRIND_DO_LEAK_CHECK;
        _exit(0);
    }
    if (__lsan_do_leak_check != NULL) {
        __lsan_do_leak_check();
        _exit(0);
    }
    dump();
    if (write(1, "ready\n", 6) != 6)
        exit(3);
    while (read(0, &byte, 1) > 0)
        ;
    _exit(0);
}

APART void check_here(void)
{
    char gap[4096];

    memset(gap, 0, sizeof gap);
    check();
    keep(gap);
}

static const struct leak_case *const groups[] = {leak_cases_c, leak_cases_threads,
                                                 leak_cases_memory, leak_cases_cxx};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        for (const struct leak_case *each = groups[i]; each->name != NULL; each++) {
            if (argc < 2)
                puts(each->name);
            else if (strcmp(argv[1], each->name) == 0) {
                each->run();
                return 3;
            }
        }
    return argc < 2 ? 0 : 2;
}
