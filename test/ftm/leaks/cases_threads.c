/*
 * Cases of threads: stacks, thread-local variables, thread-specific data.
 */
#include "leak_case.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static sem_t ready;
static _Thread_local void *volatile local;
static pthread_key_t key;

/* Waits for ever; returns only to the compiler's eyes. */
static void wait_here(void)
{
    scrub();
    sem_post(&ready);
    for (;;)
        pause();
}

/* Starts a thread and waits until it waits. */
static void start(void *(*run)(void *), pthread_attr_t *attributes)
{
    pthread_t thread;

    sem_init(&ready, 0, 0);
    if (pthread_create(&thread, attributes, run, NULL) != 0)
        exit(3);
    while (sem_wait(&ready) != 0)
        ;
    /* Until it is in pause(); what its registers hold is then on its stack, too. */
    usleep(20000);
}

static APART void drop(size_t size)
{
    keep(make(size));
}

static void *hold_on_stack(void *unused)
{
    void *volatile held = make(203);

    drop(105);
    wait_here();
    keep(held);
    return unused;
}

static void another_stack_points_to_it(void)
{
    start(hold_on_stack, NULL);
    expect("reachable", 203, 1);
    expect("definite", 105, 1);
    checkpoint();
}

static void a_thread_local_variable(void)
{
    local = make(203);
    expect("reachable", 203, 1);
    checkpoint();
}

static void *hold_locally(void *unused)
{
    local = make(203);
    wait_here();
    return unused;
}

static void a_thread_local_variable_of_another(void)
{
    start(hold_locally, NULL);
    expect("reachable", 203, 1);
    checkpoint();
}

static void *hold_specific(void *unused)
{
    pthread_setspecific(key, make(203));
    wait_here();
    return unused;
}

static void specific_data(void)
{
    if (pthread_key_create(&key, NULL) != 0)
        exit(3);
    pthread_setspecific(key, make(105));
    start(hold_specific, NULL);
    expect("reachable", 105, 1);
    expect("reachable", 203, 1);
    checkpoint();
}

/* glibc has room for 32 keys in each thread; for more it allocates. */
static void specific_data_with_many_keys(void)
{
    for (unsigned i = 0; i < 200; i++)
        if (pthread_key_create(&key, NULL) != 0)
            exit(3);
    pthread_setspecific(key, make(105));
    start(hold_specific, NULL);
    expect("reachable", 105, 1);
    expect("reachable", 203, 1);
    checkpoint();
}

/* Nothing but the thread itself knows where its stack is. */
static void a_stack_that_the_program_mapped(void)
{
    enum { SIZE = 256 << 10 };
    pthread_attr_t attributes;
    void *stack = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    pthread_attr_init(&attributes);
    if (stack == MAP_FAILED || pthread_attr_setstack(&attributes, stack, SIZE) != 0)
        exit(3);
    start(hold_on_stack, &attributes);
    expect("reachable", 203, 1);
    expect("definite", 105, 1);
    checkpoint();
}

static APART void set_stack(pthread_attr_t *attributes, size_t size)
{
    void *stack;

    pthread_attr_init(attributes);
    if (posix_memalign(&stack, 4096, size) != 0 ||
        pthread_attr_setstack(attributes, stack, size) != 0)
        exit(3);
}

/* A thread's own record is at the top of its stack, so the stack's middle is pointed to. */
static void a_stack_in_a_chunk(void)
{
    enum { SIZE = (256 << 10) + 4096 };
    pthread_attr_t attributes;

    set_stack(&attributes, SIZE);
    start(hold_on_stack, &attributes);
    memset(&attributes, 0, sizeof attributes);
    expect("reachable", 203, 1);
    expect("definite", 105, 1);
    checkpoint();
}

static void on_signal(int number)
{
    void *volatile held = make(203);

    (void)number;
    scrub();
    checkpoint();
    keep(held);
}

static void a_signal_stack(void)
{
    enum { SIZE = 256 << 10 };
    stack_t stack = {.ss_size = SIZE};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

    stack.ss_sp = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0 ||
        sigaction(SIGUSR1, &action, NULL) != 0)
        exit(3);
    expect("reachable", 203, 1);
    raise(SIGUSR1);
}

const struct leak_case leak_cases_threads[] = {
    {"another_stack_points_to_it", another_stack_points_to_it},
    {"a_thread_local_variable", a_thread_local_variable},
    {"a_thread_local_variable_of_another", a_thread_local_variable_of_another},
    {"specific_data", specific_data},
    {"specific_data_with_many_keys", specific_data_with_many_keys},
    {"a_stack_that_the_program_mapped", a_stack_that_the_program_mapped},
    {"a_stack_in_a_chunk", a_stack_in_a_chunk},
    {"a_signal_stack", a_signal_stack},
    {NULL, NULL},
};
