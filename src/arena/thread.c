/*
 * Binding threads to arenas. The destructor of the library's key puts the arena into the pool.
 * Destructors of other keys, and the C library itself after the last of them, still allocate and
 * free. They get a shared arena then, which nobody has to hand back.
 */
#include "arena/thread.h"

#include "arena/fork.h"
#include "arena/pool.h"
#include "arena/remote.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/options.h"
#include "base/secret.h"
#include "os/os.h"

#include <unistd.h>

_Thread_local struct thread thread_self = {.arena = ARENA_NONE, .operators = ARENA_NONE};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;
static char **environment;

/*
 * A fork that a signal handler makes meanwhile leaves the pool alone, because this call continues
 * in the child.
 */
static void give_back(struct arena *arena)
{
    thread_self = (struct thread){
        .arena = ARENA_NONE, .operators = ARENA_NONE, .ended = thread_self.ended, .binding = true};
    atomic_signal_fence(memory_order_seq_cst);
    pool_put(arena);
    atomic_signal_fence(memory_order_seq_cst);
    thread_self.binding = false;
}

static void end_of_thread(void *value)
{
    struct arena *arena = value;

    thread_self.ended = true;
    give_back(arena);
}

/* Must not allocate: malloc would re-enter pthread_once() and deadlock. */
static void init_once(void)
{
    /* Another constructor may have run before ours and replaced the environment. */
    if (environment == NULL)
        environment = os_kernel_environment(environ);
    options_load(environment);
    secret_init(environment);
    clock_init(environment);
    os_look_at_process();
    have_key = pthread_key_create(&key, end_of_thread) == 0;
}

/* Enables the fast paths of this thread, if it has an arena of its own. */
static void make_quick(struct arena *arena)
{
    if (!options_every_call_slow())
        thread_self.arena = arena;
    else if (!options.stats)
        thread_self.hardened = arena;
}

static bool shared(struct arena *arena)
{
    /* Relaxed: whether an arena in use is shared never changes. */
    return atomic_load_explicit(&arena->use, memory_order_relaxed) == ARENA_SHARED;
}

static void make_quick_again(void)
{
    struct arena *arena = thread_self.home;

    if (arena != NULL && !shared(arena))
        make_quick(arena);
}

/*
 * Between the handlers of a fork every call is slow, so that the first call in the child notices
 * that it is in the child, whichever call it is.
 */
static void before_fork(void)
{
    child_prepare();
    thread_self.arena = ARENA_NONE;
    thread_self.operators = ARENA_NONE;
    thread_self.hardened = NULL;
}

static void after_fork_in_parent(void)
{
    child_parent();
    /* A handler may have forked, and the fork to which it belongs is still in progress. */
    if (child_self.forking == 0)
        make_quick_again();
}

static void repair_child(void)
{
    arena_after_fork();
    make_quick_again();
}

/*
 * Called once, before anything is allocated. The C library may allocate in this call, so everything
 * else must be ready.
 */
static void register_fork(void)
{
    static _Atomic bool registered;

    /* Relaxed: it only matters which call is the first. */
    if (atomic_load_explicit(&registered, memory_order_relaxed) ||
        atomic_exchange_explicit(&registered, true, memory_order_relaxed))
        return;
    child_watch(repair_child);
    pthread_atfork(before_fork, after_fork_in_parent, child_begin);
}

void thread_runtime_init(char **initial_environment)
{
    if (initial_environment != NULL)
        environment = initial_environment;
    pthread_once(&once, init_once);
    register_fork();
    /* The first allocation may have been made before anybody knew where the environment is. */
    if (initial_environment != NULL) {
        options_load(initial_environment);
        clock_init(initial_environment);
    }
}

static struct arena *bind(void)
{
    struct arena *arena;

    thread_runtime_init(NULL);
    /* Registering a handler may have allocated. */
    if (thread_self.home != NULL)
        return thread_self.home;
    /* Done before the mark, because a repair at this place interrupts nothing. */
    child_check();
    thread_self.binding = true;
    atomic_signal_fence(memory_order_seq_cst);
    arena = thread_self.ended || !have_key ? pool_get_shared() : pool_get();
    thread_self.home = arena;
    atomic_signal_fence(memory_order_seq_cst);
    thread_self.binding = false;
    if (arena == NULL)
        return NULL;
    if (atomic_load_explicit(&arena->use, memory_order_relaxed) == ARENA_SHARED)
        return arena;
    make_quick(arena);
    /* This may allocate, so it comes last. */
    if (pthread_setspecific(key, arena) != 0) {
        give_back(arena);
        thread_self.home = pool_get_shared();
    }
    return thread_self.home;
}

struct arena *arena_enter(void)
{
    struct arena *arena;

    child_check();
    arena = thread_self.home;
    if (unlikely(arena == NULL)) {
        arena = bind();
        if (arena == NULL)
            return NULL;
    }
    if (unlikely(shared(arena)))
        arena_lock(arena);
    bins_allow(&arena->bins, HEAP_ALLOWANCE);
    if (unlikely(arena_is_damaged(arena)))
        arena_repair_step(arena);
    if (unlikely(atomic_load_explicit(&arena->trim_wanted, memory_order_relaxed))) {
        atomic_store_explicit(&arena->trim_wanted, false, memory_order_relaxed);
        remote_send_all(arena);
        arena_trim_step(arena);
    }
    return arena;
}

struct arena *arena_enter_to_free(void)
{
    return thread_self.ended && thread_self.home == NULL ? NULL : arena_enter();
}

void arena_leave(struct arena *arena)
{
    bool ticked = arena->bins.ticks != arena->aged_tick;

    if (unlikely(ticked))
        arena->aged_tick = arena->bins.ticks;
    arena_make_way(arena);
    if (unlikely(shared(arena)))
        arena_unlock(arena);
    /* Arenas in the pool have no thread that could do it. */
    if (unlikely(ticked))
        pool_age();
}
