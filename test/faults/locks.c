/*
 * Each function counts the call and calls the real one. A mutex locked within another counts as
 * one.
 */
#include "faults/locks.h"

#include "arena/parcel.h"
#include "arena/thread.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

/* The linker creates these names. */
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);       // NOLINT
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);       // NOLINT
int __real_pthread_mutex_trylock(pthread_mutex_t *mutex);    // NOLINT
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex);    // NOLINT
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);     // NOLINT
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);     // NOLINT
int __real_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock); // NOLINT
int __wrap_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock); // NOLINT
int __real_pthread_rwlock_trywrlock(pthread_rwlock_t *lock); // NOLINT
int __wrap_pthread_rwlock_trywrlock(pthread_rwlock_t *lock); // NOLINT
void *__real_mmap(void *address, size_t size, int protection, int flags, int file,
                  off_t offset); // NOLINT
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file,
                  off_t offset);               // NOLINT
int __real_munmap(void *address, size_t size); // NOLINT
int __wrap_munmap(void *address, size_t size); // NOLINT

static _Thread_local struct locks_use use;
static _Thread_local bool timed;
static _Thread_local unsigned depth;
static _Thread_local uint64_t locked_at;

/*
 * The lock of the thread's own arena, and that of the depot of parcels. Nobody holds one of them
 * while he looks at the chunks of others, so they do not count.
 */
static bool for_own_work(const pthread_mutex_t *mutex)
{
    return mutex == &parcel_lock ||
           (thread_self.home != NULL && mutex == &thread_self.home->arena->lock);
}

struct locks_use locks_use(void)
{
    return use;
}

/* Returns the processor time of the calling thread, in nanoseconds. */
static uint64_t cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void locks_time(void)
{
    timed = true;
}

static void locked(void)
{
    if (depth++ == 0 && timed)
        locked_at = cpu_now();
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex) // NOLINT
{
    if (for_own_work(mutex)) {
        if (__real_pthread_mutex_trylock(mutex) == 0)
            return 0;
        use.visited++;
        return __real_pthread_mutex_lock(mutex);
    }
    use.mutexes++;
    int error = __real_pthread_mutex_lock(mutex);
    if (error == 0)
        locked();
    return error;
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex) // NOLINT
{
    int error = __real_pthread_mutex_trylock(mutex);
    if (error == 0 && !for_own_work(mutex))
        locked();
    return error;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex) // NOLINT
{
    if (!for_own_work(mutex) && --depth == 0 && timed) {
        uint64_t held = cpu_now() - locked_at;
        use.longest_ns = held > use.longest_ns ? held : use.longest_ns;
    }
    return __real_pthread_mutex_unlock(mutex);
}

int __wrap_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock) // NOLINT
{
    use.reads++;
    return __real_pthread_rwlock_tryrdlock(lock);
}

int __wrap_pthread_rwlock_trywrlock(pthread_rwlock_t *lock) // NOLINT
{
    use.writes++;
    return __real_pthread_rwlock_trywrlock(lock);
}

static void asks_the_kernel(void)
{
    use.kernel++;
    use.kernel_in_mutex += depth > 0;
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file,
                  off_t offset) // NOLINT
{
    asks_the_kernel();
    return __real_mmap(address, size, protection, flags, file, offset);
}

int __wrap_munmap(void *address, size_t size) // NOLINT
{
    asks_the_kernel();
    return __real_munmap(address, size);
}

struct locks_moment locks_moment(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (struct locks_moment){.use = use,
                                 .waits = usage.ru_nvcsw,
                                 .faults = usage.ru_minflt + usage.ru_majflt,
                                 .cpu = cpu_now()};
}

void locks_count(struct locks_tally *tally, const struct locks_moment *before)
{
    uint64_t cpu = cpu_now() - before->cpu;
    struct locks_moment after = locks_moment();
    bool mapped = after.use.kernel != before->use.kernel;
    bool locks = after.use.mutexes != before->use.mutexes || after.use.reads != before->use.reads ||
                 after.use.writes != before->use.writes;
    bool visited = after.use.visited != before->use.visited;
    bool waited = !mapped && after.waits != before->waits;
    tally->calls++;
    tally->mapped += mapped;
    tally->locked += locks;
    tally->waited += waited;
    tally->waited_for_none += waited && !locks && !visited && after.faults == before->faults;
    tally->slow += !mapped && cpu > 1000000;
    if (!mapped && cpu > tally->longest_ns)
        tally->longest_ns = cpu;
}

void locks_add(struct locks_tally *sum, const struct locks_tally *tally)
{
    sum->calls += tally->calls;
    sum->mapped += tally->mapped;
    sum->locked += tally->locked;
    sum->waited += tally->waited;
    sum->waited_for_none += tally->waited_for_none;
    sum->slow += tally->slow;
    sum->longest_ns = tally->longest_ns > sum->longest_ns ? tally->longest_ns : sum->longest_ns;
}

void locks_print(const char *when, const struct locks_tally *tally)
{
    printf("%s: %zu calls, %zu with a lock; of the %zu that asked the kernel for no memory %zu "
           "gave up the "
           "processor, "
           "%zu without a lock or a page fault; %zu took more than 1 ms of processor time, the "
           "longest %.3f "
           "ms\n",
           when, tally->calls, tally->locked, tally->calls - tally->mapped, tally->waited,
           tally->waited_for_none, tally->slow, (double)tally->longest_ns / 1e6);
}
