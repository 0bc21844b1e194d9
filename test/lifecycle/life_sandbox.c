/*
 * life_sandbox MODE: allocates where the kernel kills a process that makes other system calls than
 * the C library's malloc needs: its calls for memory, and those that start and end threads.
 */
#include "support/require.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { COUNT = 50000 };

#define ALLOW(name)                                                                                \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void enter_sandbox(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(brk),
        ALLOW(mmap),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(madvise),
        ALLOW(mprotect),
        ALLOW(futex),
        ALLOW(write),
        ALLOW(read),
        ALLOW(exit),
        ALLOW(exit_group),
        ALLOW(getrandom),
        ALLOW(rt_sigprocmask),
        ALLOW(rt_sigaction),
        ALLOW(clone),
        ALLOW(clone3),
        ALLOW(set_robust_list),
        ALLOW(rseq),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
    /* Where the kernel has no such filters, there is nothing to test. */
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        exit(77);
}

static void *fill(void *argument)
{
    static _Thread_local void *chunks[COUNT];

    for (size_t n = 0; n < COUNT; n++)
        REQUIRE((chunks[n] = malloc(1000)) != NULL, "no memory");
    for (size_t n = 0; n < COUNT; n++)
        free(chunks[n]);
    return argument;
}

static void grow(void)
{
    char *chunk = malloc(200000);

    for (size_t size = 300000; size < 50000000 && chunk != NULL; size = size * 5 / 4)
        chunk = realloc(chunk, size);
    REQUIRE(chunk != NULL, "no memory");
    free(chunk);
}

static void start_threads(void)
{
    for (unsigned n = 0; n < 3; n++) {
        pthread_t thread;

        REQUIRE(pthread_create(&thread, NULL, fill, NULL) == 0, "no thread");
        REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    enter_sandbox();
    if (strcmp(mode, "fill") == 0)
        fill(NULL);
    else if (strcmp(mode, "grow") == 0)
        grow();
    else
        start_threads();
    if (write(STDOUT_FILENO, "survived\n", 9) != 9)
        return 1;
    /* Not exit(), which makes further system calls. */
    _exit(0);
}
