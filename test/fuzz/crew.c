/*
 * The threads and the baton. The thread that runs the input starts and joins the others and waits
 * meanwhile. A thread is joined before anything else happens, so its end is part of the input, too.
 * The child of a fork continues with the same input in the same way, alone at first.
 */
#define _GNU_SOURCE 1 // NOLINT: the C library asks for this name
#include "fuzz/fuzz.h"

#include "os/os.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 6, RUNNER = WORKERS, CHILD_SECONDS = 60 };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t passed[WORKERS + 1];
    unsigned holder;
} baton;

static struct {
    pthread_t thread;
    bool started;
} workers[WORKERS];

static bool stopping;
static unsigned leaver = RUNNER;
static pthread_key_t late_key;

/* Where the fuzzer finds the coverage of a child. */
extern uint8_t coverage_start[] __asm__("__start___sancov_cntrs")
    __attribute__((weak, visibility("hidden")));
extern uint8_t coverage_stop[] __asm__("__stop___sancov_cntrs")
    __attribute__((weak, visibility("hidden")));
static uint8_t *child_coverage;

static void baton_renew(void)
{
    pthread_mutex_init(&baton.mutex, NULL);
    for (unsigned i = 0; i <= WORKERS; i++)
        pthread_cond_init(&baton.passed[i], NULL);
}

static void baton_pass(unsigned to)
{
    pthread_mutex_lock(&baton.mutex);
    baton.holder = to;
    pthread_cond_signal(&baton.passed[to]);
    pthread_mutex_unlock(&baton.mutex);
}

static void baton_await(unsigned self)
{
    pthread_mutex_lock(&baton.mutex);
    while (baton.holder != self)
        pthread_cond_wait(&baton.passed[self], &baton.mutex);
    pthread_mutex_unlock(&baton.mutex);
}

static void run_some(unsigned count)
{
    bool before = fuzz.staying;

    fuzz.staying = true;
    for (unsigned i = 0; i < count && input_left(); i++)
        command_next();
    fuzz.staying = before;
}

/*
 * Runs after the library's own destructor, which was created first, so the thread has handed back
 * its arena.
 */
static void late_commands(void *value)
{
    unsigned count = fuzz.late;

    (void)value;
    fuzz.late = 0;
    run_some(count);
}

/* Returns when the thread has to end. */
static void hold_baton(unsigned self)
{
    for (;;) {
        baton_await(self);
        if (stopping)
            return;
        while (input_left() && fuzz.turn == self && !fuzz.leaving)
            command_next();
        if (fuzz.leaving) {
            leaver = self;
            return;
        }
        baton_pass(input_left() && workers[fuzz.turn].started ? fuzz.turn : RUNNER);
    }
}

static void *work(void *argument)
{
    unsigned self = (unsigned)(uintptr_t)argument;

    hold_baton(self);
    if (fuzz.late > 0)
        pthread_setspecific(late_key, argument == NULL ? &late_key : argument);
    baton_pass(RUNNER);
    return NULL;
}

static void start(unsigned number)
{
    workers[number].started = true;
    REQUIRE(pthread_create(&workers[number].thread, NULL, work, (void *)(uintptr_t)number) == 0,
            "pthread_create failed");
}

static void join(unsigned number)
{
    pthread_join(workers[number].thread, NULL);
    workers[number].started = false;
}

void crew_run(void)
{
    static bool ready;

    if (!ready)
        REQUIRE(pthread_key_create(&late_key, late_commands) == 0, "pthread_key_create failed");
    ready = true;
    baton_renew();
    stopping = false;
    baton.holder = RUNNER;
    while (input_left()) {
        fuzz.turn %= WORKERS;
        if (!workers[fuzz.turn].started)
            start(fuzz.turn);
        baton_pass(fuzz.turn);
        baton_await(RUNNER);
        if (leaver != RUNNER)
            join(leaver);
        leaver = RUNNER;
        fuzz.leaving = false;
    }
}

void crew_end(void)
{
    stopping = true;
    for (unsigned i = 0; i < WORKERS; i++) {
        if (!workers[i].started)
            continue;
        baton_pass(i);
        baton_await(RUNNER);
        join(i);
    }
}

void command_hand_on(void)
{
    unsigned to = input_byte() % WORKERS;

    if (!fuzz.staying)
        fuzz.turn = to;
}

void command_leave(void)
{
    unsigned how = input_byte();

    if (fuzz.staying)
        return;
    fuzz.leaving = true;
    fuzz.late = how & 8 ? how % 8 : 0;
    fuzz.turn = how / 16 % WORKERS;
}

static size_t coverage_size(void)
{
    return coverage_start == NULL ? 0 : (size_t)(coverage_stop - coverage_start);
}

static void coverage_share(void)
{
    if (coverage_size() == 0)
        return;
    if (child_coverage == NULL)
        child_coverage =
            mmap(NULL, coverage_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(child_coverage != MAP_FAILED, "no shared memory");
    memset(child_coverage, 0, coverage_size());
}

/* Takes the larger count of each place, of a child and its children. */
static void coverage_merge(uint8_t *into, const uint8_t *from)
{
    for (size_t i = 0; i < coverage_size(); i++)
        if (into[i] < from[i])
            into[i] = from[i];
}

/* Runs a few commands alone, then with a new crew. */
static void live_in_child(unsigned alone)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};

    (void)sigaction(SIGALRM, &standard, NULL);
    alarm(CHILD_SECONDS);
    for (unsigned i = 0; i < WORKERS; i++)
        workers[i].started = false;
    leaver = RUNNER;
    fuzz.leaving = false;
    held_check_all();
    figures_require_exact();
    run_some(alone);
    fuzz.staying = false;
    crew_run();
    fuzz_finish();
    if (coverage_size() > 0)
        coverage_merge(child_coverage, coverage_start);
    _exit(0);
}

void command_fork(void)
{
    unsigned alone = input_byte();
    int status = 0;
    pid_t child;

    /* Rare, because it is expensive. */
    if (fuzz.forks == 0 || alone % 4 != 0)
        return;
    fuzz.forks--;
    coverage_share();
    child = fork();
    REQUIRE(child >= 0, "fork failed");
    if (child == 0)
        live_in_child(alone / 4 % 16);
    REQUIRE(waitpid(child, &status, 0) == child, "waitpid failed");
    REQUIRE(status == 0, "a child of fork ended with status %#x", (unsigned)status);
    if (coverage_size() > 0)
        coverage_merge(coverage_start, child_coverage);
}
