/*
 * Destructors of pthread keys that allocate and free in every round that libc grants them, also
 * after the library's own key was destroyed. The main thread verifies and frees what the last round
 * leaves behind.
 */
#include "support/pattern.h"
#include "support/require.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 5, THREADS = 8, WAVES = 40, LEFT = THREADS * WAVES * KEYS };

static const size_t sizes[KEYS] = {24, 500, 6000, 200000, 400000};
static pthread_key_t keys[KEYS];
static _Thread_local unsigned rounds[KEYS];
static void *left[LEFT];
static size_t left_key[LEFT];
static atomic_size_t left_count;

static void destroy(size_t key, void *value)
{
    REQUIRE(pattern_mismatch(value, sizes[key], key) == sizes[key],
            "the value of key %zu was changed", key);
    free(value);
    void *next = malloc(sizes[key]);
    REQUIRE(next != NULL, "no memory in a destructor");
    pattern_write(next, 0, sizes[key], key);
    if (++rounds[key] < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(keys[key], next);
        return;
    }
    size_t place = atomic_fetch_add(&left_count, 1);
    left[place] = next;
    left_key[place] = key;
}

static void destroy_0(void *value)
{
    destroy(0, value);
}

static void destroy_1(void *value)
{
    destroy(1, value);
}

static void destroy_2(void *value)
{
    destroy(2, value);
}

static void destroy_3(void *value)
{
    destroy(3, value);
}

static void destroy_4(void *value)
{
    destroy(4, value);
}

static void *work(void *unused)
{
    (void)unused;
    for (size_t key = 0; key < KEYS; key++) {
        void *value = malloc(sizes[key]);
        REQUIRE(value != NULL, "no memory");
        pattern_write(value, 0, sizes[key], key);
        pthread_setspecific(keys[key], value);
    }
    return NULL;
}

int main(void)
{
    void (*const destructors[KEYS])(void *) = {destroy_0, destroy_1, destroy_2, destroy_3,
                                               destroy_4};
    for (size_t key = 0; key < KEYS; key++)
        REQUIRE(pthread_key_create(&keys[key], destructors[key]) == 0, "pthread_key_create failed");
    for (size_t wave = 0; wave < WAVES; wave++) {
        pthread_t threads[THREADS];
        for (size_t t = 0; t < THREADS; t++)
            REQUIRE(pthread_create(&threads[t], NULL, work, NULL) == 0, "pthread_create failed");
        for (size_t t = 0; t < THREADS; t++)
            pthread_join(threads[t], NULL);
    }
    size_t count = atomic_load(&left_count);
    REQUIRE(count == LEFT, "%zu values are left of %d", count, (int)LEFT);
    for (size_t n = 0; n < count; n++) {
        size_t size = sizes[left_key[n]];
        REQUIRE(pattern_mismatch(left[n], size, left_key[n]) == size,
                "a value that was left was changed");
        free(left[n]);
    }
    printf("%zu values of ended threads freed\n", count);
    return 0;
}
