/*
 * `soak_load SECONDS SEED`: the load of test/soak/soak, which samples its memory. Any fault ends it
 * with a message. In the end everything is freed, which the library's own figures must confirm.
 */
#include "soak/soak.h"

#include "ft_malloc.h"
#include "support/require.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 200, LARGEST = 1000000, LONGEST_LOOK_PAUSE_US = 60000, KEPT_BY_LIBC = 1 << 20 };

struct counts counts;
uint64_t soak_seed;
atomic_bool soak_over;
static atomic_ulong streams;

struct rng soak_rng(void)
{
    return rng_stream(soak_seed, atomic_fetch_add(&streams, 1));
}

struct model *soak_model(void)
{
    return model_create(soak_seed, atomic_fetch_add(&streams, 1), SLOTS, LARGEST);
}

void soak_pause_us(size_t microseconds)
{
    struct timespec pause = {(time_t)(microseconds / 1000000),
                             (long)(microseconds % 1000000) * 1000};
    nanosleep(&pause, NULL);
}

static size_t live_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Makes listings, figures and trims while all others run. */
static void *look(void *unused)
{
    struct rng rng = soak_rng();
    while (!atomic_load(&soak_over)) {
        switch (rng_below(&rng, 10)) {
        case 0:
            malloc_trim(0);
            break;
        case 1:
        case 2:
            REQUIRE(live_bytes() > 0, "nothing is live");
            break;
        default:
            show_alloc_mem();
        }
        atomic_fetch_add(&counts.looks, 1);
        soak_pause_us(rng_below(&rng, LONGEST_LOOK_PAUSE_US));
    }
    return unused;
}

static void wait_s(double seconds)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)seconds;
    end.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        ;
}

/* Discards the listings; what is to be read goes to the descriptor that this returns. */
static FILE *divert_stdout(void)
{
    int kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(kept >= 0 && nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) == STDOUT_FILENO,
            "no descriptors");
    close(nowhere);
    FILE *out = fdopen(kept, "w");
    REQUIRE(out != NULL, "fdopen failed");
    return out;
}

static void run(double seconds, FILE *out)
{
    pthread_t looker;
    places_start();
    forks_start();
    signals_start();
    REQUIRE(pthread_create(&looker, NULL, look, NULL) == 0, "pthread_create failed");
    /* From here on signals may come from outside. */
    REQUIRE(fputs("ready\n", out) >= 0 && fflush(out) == 0, "nobody reads");
    wait_s(seconds);
    atomic_store(&soak_over, true);
    signals_join();
    pthread_join(looker, NULL);
    forks_join();
    places_join();
    exchange_empty();
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: soak_load SECONDS SEED");
    soak_seed = strtoull(argv[2], NULL, 0);
    FILE *out = divert_stdout();
    size_t before = live_bytes();
    run(strtod(argv[1], NULL), out);
    size_t after = live_bytes();
    REQUIRE(after <= before + KEPT_BY_LIBC, "%zu bytes are live at the end, %zu at the start",
            after, before);
    (void)fprintf(out, "%lu steps, %lu threads, %lu forks, %lu signals, %lu looks\n",
                  atomic_load(&counts.steps), atomic_load(&counts.threads),
                  atomic_load(&counts.forks), atomic_load(&counts.signals),
                  atomic_load(&counts.looks));
    return fclose(out) == 0 ? 0 : 1;
}
