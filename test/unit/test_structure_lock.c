/*
 * The structure lock: who may hold it together, and that whoever waits for it sleeps. A thread of
 * high priority that waited awake would keep the processor from the holder.
 */
#include "unit/unit.h"

#include "base/structure_lock.h"
#include "support/require.h"
#include "support/sanitized.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LOOKS = 200000, READERS = 4, ROUNDS = 20000, WRITERS = 3 };

/* A thread that takes the lock, says so, and releases it when it is told to. */
struct taker {
    void (*lock)(void);
    pthread_t thread;
    atomic_int id;
    atomic_bool in, leave;
};

static void *take(void *argument)
{
    struct taker *taker = argument;

    atomic_store(&taker->id, (int)syscall(SYS_gettid));
    taker->lock();
    atomic_store(&taker->in, true);
    while (!atomic_load(&taker->leave))
        sched_yield();
    structure_unlock();
    return NULL;
}

static void start(struct taker *taker, void (*lock)(void))
{
    memset(taker, 0, sizeof *taker);
    taker->lock = lock;
    REQUIRE(pthread_create(&taker->thread, NULL, take, taker) == 0, "no thread");
    while (atomic_load(&taker->id) == 0)
        sched_yield();
}

static void wait_inside(struct taker *taker)
{
    while (!atomic_load(&taker->in))
        sched_yield();
}

static void finish(struct taker *taker)
{
    atomic_store(&taker->leave, true);
    REQUIRE(pthread_join(taker->thread, NULL) == 0, "cannot join");
}

/* Returns the kernel's letter for the state of a thread: 'R', 'S' ... */
static char doing(int id)
{
    char name[64], text[512] = "";
    const char *end;
    FILE *file;

    (void)snprintf(name, sizeof name, "/proc/self/task/%d/stat", id);
    file = fopen(name, "r");
    REQUIRE(file != NULL, "cannot open %s", name);
    REQUIRE(fread(text, 1, sizeof text - 1, file) > 0, "cannot read %s", name);
    (void)fclose(file);
    end = strrchr(text, ')');
    return (char)(end == NULL ? '?' : end[2]);
}

/*
 * Waits until the thread sleeps for good. A thread that only loses the processor now and then is
 * never found asleep.
 */
static bool sleeps(struct taker *taker)
{
    for (unsigned look = 0; look < LOOKS; look++) {
        if (atomic_load(&taker->in))
            return false;
        if (doing(atomic_load(&taker->id)) == 'S')
            return true;
        sched_yield();
    }
    return false;
}

static void check_wait(void (*first)(void), void (*second)(void))
{
    struct taker holder, waiter;

    start(&holder, first);
    wait_inside(&holder);
    start(&waiter, second);
    assert_true(sleeps(&waiter));
    finish(&holder);
    wait_inside(&waiter);
    finish(&waiter);
}

static void test_a_waiting_thread_sleeps(void **state)
{
    (void)state;
    check_wait(structure_lock_write, structure_lock_write);
    check_wait(structure_lock_read, structure_lock_write);
    check_wait(structure_lock_write, structure_lock_read);
}

static void test_readers_share_the_lock(void **state)
{
    struct taker readers[READERS];

    (void)state;
    for (unsigned i = 0; i < READERS; i++)
        start(&readers[i], structure_lock_read);
    for (unsigned i = 0; i < READERS; i++)
        wait_inside(&readers[i]);
    for (unsigned i = 0; i < READERS; i++)
        finish(&readers[i]);
}

static void test_more_readers_than_there_is_room_for(void **state)
{
    struct taker readers[3 * READERS];

    (void)state;
    for (unsigned i = 0; i < 3 * READERS; i++)
        start(&readers[i], structure_lock_read);
    for (unsigned i = 0; i < 3 * READERS; i++)
        atomic_store(&readers[i].leave, true);
    for (unsigned i = 0; i < 3 * READERS; i++)
        finish(&readers[i]);
}

static void test_a_writer_that_waits_goes_before_new_readers(void **state)
{
    struct taker reader, writer, late;

    (void)state;
    start(&reader, structure_lock_read);
    wait_inside(&reader);
    start(&writer, structure_lock_write);
    assert_true(sleeps(&writer));
    start(&late, structure_lock_read);
    assert_true(sleeps(&late));
    finish(&reader);
    wait_inside(&writer);
    assert_false(atomic_load(&late.in));
    finish(&writer);
    wait_inside(&late);
    finish(&late);
}

static void test_a_try_that_fails_leaves_no_trace(void **state)
{
    static void (*const locks[])(void) = {structure_lock_read, structure_lock_write};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct taker holder, reader;

        start(&holder, locks[i]);
        wait_inside(&holder);
        assert_false(structure_lock_try_write());
        assert_false(structure_lock_try_write());
        if (i == 0) {
            start(&reader, structure_lock_read);
            wait_inside(&reader);
            finish(&reader);
        }
        finish(&holder);
        assert_true(structure_lock_try_write());
        structure_unlock();
    }
}

static unsigned plain;

static void *write_often(void *unused)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round % 4 != 0 || !structure_lock_try_write())
            structure_lock_write();
        plain++;
        structure_unlock();
    }
    return unused;
}

static void *read_often(void *unused)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned seen;

        structure_lock_read();
        seen = plain;
        sched_yield();
        REQUIRE(seen == plain, "somebody writes while others read");
        structure_unlock();
    }
    return unused;
}

static void test_a_writer_excludes_everybody(void **state)
{
    pthread_t threads[WRITERS + READERS];

    (void)state;
    for (unsigned i = 0; i < WRITERS + READERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < WRITERS ? write_often : read_often, NULL), 0);
    for (unsigned i = 0; i < WRITERS + READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(plain, WRITERS * ROUNDS);
}

static void made_new(void *argument)
{
    struct taker taker;

    structure_lock_renew();
    /* The surviving thread may release what it held, without harm. */
    if (argument != NULL)
        structure_unlock();
    for (unsigned i = 0; i < 2; i++) {
        start(&taker, i == 0 ? structure_lock_write : structure_lock_read);
        wait_inside(&taker);
        finish(&taker);
        REQUIRE(structure_lock_try_write(), "somebody holds it");
        structure_unlock();
    }
}

static void test_a_renewed_lock_is_free(void **state)
{
    struct taker holder;

    (void)state;
    /* ThreadSanitizer takes the parent's threads for leaked ones in the child. */
    if (sanitized)
        skip();
    start(&holder, structure_lock_write);
    wait_inside(&holder);
    assert_true(unit_child_succeeds(made_new, NULL));
    finish(&holder);
    structure_lock_write();
    assert_true(unit_child_succeeds(made_new, &holder));
    structure_unlock();
    structure_lock_read();
    assert_true(unit_child_succeeds(made_new, &holder));
    structure_unlock();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_waiting_thread_sleeps),
        cmocka_unit_test(test_readers_share_the_lock),
        cmocka_unit_test(test_more_readers_than_there_is_room_for),
        cmocka_unit_test(test_a_writer_that_waits_goes_before_new_readers),
        cmocka_unit_test(test_a_try_that_fails_leaves_no_trace),
        cmocka_unit_test(test_a_writer_excludes_everybody),
        cmocka_unit_test(test_a_renewed_lock_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
