/*
 * A program with leaks of several stacks, for the options of ftm leaks: `stack_case` loses memory;
 * `stack_case register` holds a chunk by a register alone; `stack_case busy` moves chunks between
 * two threads all the time and loses none. Each prints "ready", and ends when its input is closed.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __clang__
#define APART __attribute__((noinline, optnone))
#else
#define APART __attribute__((noipa))
#endif

struct node {
    struct node *next;
    char rest[];
};

static void *volatile held;

APART void *make(size_t size);
APART void lose_one(void);
APART void lose_chain(void);
APART void hold_inside(void);
APART void scrub(void);

void *make(size_t size)
{
    void *made = calloc(1, size);

    if (made == NULL)
        exit(3);
    return made;
}

void lose_one(void)
{
    make(203);
}

void lose_chain(void)
{
    struct node *first = make(105);

    first->next = make(57);
}

void hold_inside(void)
{
    held = (char *)make(1303) + 1000;
}

void scrub(void)
{
    volatile char old[1 << 16];

    memset((char *)old, 0, sizeof old);
}

static void wait_for_end(void)
{
    char byte;

    if (write(1, "ready\n", 6) != 6)
        exit(3);
    while (read(0, &byte, 1) > 0)
        ;
    _exit(0);
}

static atomic_bool ended, spinning;

static void *wait_in_thread(void *unused)
{
    char byte;

    while (!atomic_load(&spinning))
        ;
    if (write(1, "ready\n", 6) != 6)
        exit(3);
    while (read(0, &byte, 1) > 0)
        ;
    atomic_store(&ended, true);
    return unused;
}

/* Spins with the address in a register that no call has to keep, and nowhere else. */
static APART void spin(uintptr_t masked)
{
    register uintptr_t address = ~masked;

    masked = 0;
    __asm__ volatile("" : "+r"(address), "+r"(masked));
    atomic_store(&spinning, true);
    while (!atomic_load_explicit(&ended, memory_order_relaxed))
        __asm__ volatile("" : "+r"(address), "+r"(masked));
    held = (void *)address;
}

static APART uintptr_t make_masked(void)
{
    return ~(uintptr_t)make(203);
}

static void hold_by_register(void)
{
    pthread_t thread;
    uintptr_t masked = make_masked();

    scrub();
    if (pthread_create(&thread, NULL, wait_in_thread, NULL) != 0)
        exit(3);
    spin(masked);
    _exit(0);
}

/* Two places, and chunks on their way from one to the other. */
enum { PLACES = 4096 };
static _Atomic(void *) here[PLACES], there[PLACES];

static void *move(void *unused)
{
    unsigned seed = 1;

    while (!atomic_load_explicit(&ended, memory_order_relaxed)) {
        unsigned from = (seed = seed * 1103515245 + 12345) >> 16 & (PLACES - 1);
        unsigned to = (seed = seed * 1103515245 + 12345) >> 16 & (PLACES - 1);
        void *taken = atomic_exchange(&here[from], NULL);

        taken = atomic_exchange(&there[to], taken);
        taken = atomic_exchange(&here[to], taken);
        if (taken != NULL) {
            free(taken);
            taken = make(57);
            free(atomic_exchange(&here[from], taken));
        }
    }
    return unused;
}

static void stay_busy(void)
{
    pthread_t threads[2];

    for (unsigned i = 0; i < PLACES; i++)
        here[i] = make(57);
    for (unsigned i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, move, NULL) != 0)
            exit(3);
    wait_for_end();
}

int main(int argc, char **argv)
{
    alarm(300);
    if (argc > 1 && strcmp(argv[1], "register") == 0)
        hold_by_register();
    if (argc > 1 && strcmp(argv[1], "busy") == 0)
        stay_busy();
    /* Volatile, so that there is one call and not three. */
    for (volatile unsigned i = 0; i < 3; i++)
        lose_one();
    lose_chain();
    hold_inside();
    scrub();
    wait_for_end();
}
