/*
 * The locks, and every nesting in which the library takes them:
 *     arena pool -> an arena's own -> an arena's repair lock -> structure lock -> LARGE registry
 *
 *   step here             in the code
 *   write, read, unlock   structure_lock_write(), structure_lock_read(), structure_unlock()
 *   work                  what a refill or a spill may come to: heap_create(), heap_set_release(), large_trim();
 *                         retire() and large_make_way() want the same locks, but do nothing where these would wait
 *   drain                 push(), remote_drain_pooled(): tries for the lock of the pooled arena
 *   slow_call             arena_enter() to arena_leave() in a shared arena, which may be damaged
 *   repair                arena_repair_step(): frees chunks, with the repair lock held
 *   to_damaged            arena_leave_for_repair(): with a shared arena's lock in hand, and the repair lock of another
 *   get, put, trim, walk  pool_get(), pool_put(), pool_trim(); census_take() as it might be, with both locks at once
 *   child                 arena_after_fork(): in a signal handler of thread 0, at any moment
 *
 * Writers try a while, and then wait in the queue, where they go before readers (with FORK: they only try).
 * A loop that tries until it succeeds is a step that waits, so that a wait without end is a deadlock here.
 *
 * Checked: nobody waits for a lock while it holds one of the same rank or of a later one; no deadlock. After a fork:
 * the survivor unlocks the structure lock only if it holds it, and every later call of it goes through.
 *
 * Bounds: two shared arenas and one in the pool; THREADS threads with one call each, which may be any. With FORK there
 * are fewer kinds of calls; thread 0 has two, forks once, in the first of them, and nobody else is in the child before
 * that one has ended.
 *
 * run: order -DTHREADS=3
 * run: damaged -DTHREADS=3 -DDAMAGED
 * run: fork -DTHREADS=2 -DFORK
 * bug: order BUG_REGISTRY_BEFORE_STRUCTURE
 * bug: order BUG_PUSH_WAITS
 * bug: order BUG_PUT_WITH_ARENA_LOCKED
 * bug: order BUG_REGISTRY_BEFORE_STRUCTURE -DNO_RANKS
 * bug: order BUG_WALK_IN_WALK -DNO_RANKS
 * bug: damaged BUG_WAIT_FOR_DAMAGED
 * bug: damaged BUG_WAIT_FOR_DAMAGED -DNO_RANKS
 * bug: damaged BUG_REPAIR_WAITS -DNO_RANKS
 * bug: fork BUG_STRUCTURE_NOT_HELD_AGAIN
 * bug: fork BUG_UNKNOWN_NOT_MADE_ANEW
 * bug: fork BUG_WAIT_IN_QUEUE
 */
#define POOL 0
#define SHARED 1 /* and 2 */
#define POOLED 3
#define REGISTRY 4
#define REPAIR_OF(arena) (4 + arena) /* of the two shared ones */
#define MUTEXES 7

#define RANK_POOL 1
#define RANK_ARENA 2
#define RANK_REPAIR 4
#define RANK_STRUCTURE 8
#define RANK_REGISTRY 16

#define CHILD_THREAD 8
#ifdef FORK
#define GONE_AFTER_FORK unless { forked && self != 0 && self < CHILD_THREAD }
#define CALLS (self == 0 -> 2 : 1)
#else
#define GONE_AFTER_FORK
#define CALLS 1
#endif

mtype = { NOT, READ, WRITE };

bool locked[MUTEXES];
bool damaged[MUTEXES];
bool writer, forked;
byte readers, queue;
/* Thread 0's own word on how it holds the structure lock. */
mtype said = NOT;
bool first_ended;

inline may_wait(rank)
{
#ifndef NO_RANKS
    assert(held < rank)
#else
    skip
#endif
}

inline take(mutex, rank)
{
    atomic {
        may_wait(rank);
        !locked[mutex] -> locked[mutex] = true;
        held = held | rank
    }
}

inline drop(mutex, rank)
{
    atomic { locked[mutex] = false; held = held & ~rank }
}

inline say(what)
{
#ifdef FORK
    if
    :: self == 0 -> said = what
    :: else
    fi
#else
    skip
#endif
}

/* Whether it was taken, or given back, before the fork or after it, the survivor cannot know: it makes sure. */
inline make_sure(written, read)
{
#if defined(FORK) && !defined(BUG_UNKNOWN_NOT_MADE_ANEW)
    d_step {
        if
        :: forked != before -> writer = written; readers = read
        :: else
        fi;
        before = forked
    }
#else
    skip
#endif
}

inline write()
{
    before = forked;
    may_wait(RANK_STRUCTURE);
    if
    :: atomic { !writer && readers == 0 -> writer = true }
#if !defined(FORK) || defined(BUG_WAIT_IN_QUEUE)
    :: atomic { writer || readers > 0 -> queue++ }
       atomic {
           !writer && readers == 0 ->
           assert(queue > 0);
           queue--;
           writer = true
       }
#endif
    fi;
    say(WRITE);
    make_sure(true, 0);
    held = held | RANK_STRUCTURE
}

/* Readers let writers that wait go first. */
inline read()
{
    before = forked;
    may_wait(RANK_STRUCTURE);
    atomic { !writer && queue == 0 -> readers++ }
    say(READ);
    make_sure(false, 1);
    held = held | RANK_STRUCTURE
}

inline unlock()
{
    before = forked;
    say(NOT);
    d_step {
        if
        :: writer -> writer = false
        :: !writer && readers > 0 -> readers--
        :: else ->
#if defined(FORK) && !defined(BUG_UNKNOWN_NOT_MADE_ANEW)
            assert(self == 0 && forked != before)
#else
            assert(false)
#endif
        fi
    }
    make_sure(false, 0);
    held = held & ~RANK_STRUCTURE
}

inline registry()
{
    take(REGISTRY, RANK_REGISTRY);
#ifdef BUG_REGISTRY_BEFORE_STRUCTURE
    write();
    unlock();
#endif
    drop(REGISTRY, RANK_REGISTRY)
}

inline work()
{
    if
    :: write(); unlock()
    :: registry()
    fi
}

inline drain()
{
    if
#ifdef BUG_PUSH_WAITS
    :: take(POOLED, RANK_ARENA);
       drop(POOLED, RANK_ARENA)
#else
    :: atomic { !locked[POOLED] -> locked[POOLED] = true }
       work();
       locked[POOLED] = false
    :: locked[POOLED]
#endif
    fi
}

inline repair(arena, other)
{
    take(REPAIR_OF(arena), RANK_REPAIR);
    work();
#ifdef BUG_REPAIR_WAITS
    take(other, RANK_ARENA);
    drop(other, RANK_ARENA);
#endif
    drop(REPAIR_OF(arena), RANK_REPAIR)
}

inline to_damaged(other)
{
#ifdef BUG_WAIT_FOR_DAMAGED
    take(other, RANK_ARENA);
    locked[other] = false
#else
    take(REPAIR_OF(other), RANK_REPAIR);
    drop(REPAIR_OF(other), RANK_REPAIR)
#endif
}

/* A repair takes many calls: the arena may be damaged after each of them. */
inline slow_call(arena, other)
{
    take(arena, RANK_ARENA);
    if
    :: damaged[arena] ->
        repair(arena, other);
        if
        :: damaged[arena] = false
        :: true
        fi
    :: else
    fi;
    if
    :: work()
    :: drain()
    :: damaged[other] -> to_damaged(other)
    fi;
    drop(arena, RANK_ARENA)
}

inline get()
{
    take(POOL, RANK_POOL);
    if
    :: drop(POOL, RANK_POOL);
       take(POOLED, RANK_ARENA);
       work();
       drop(POOLED, RANK_ARENA)
    :: write(); unlock();
       drop(POOL, RANK_POOL)
    :: drop(POOL, RANK_POOL);
       write(); unlock();
       take(POOL, RANK_POOL);
       drop(POOL, RANK_POOL)
    fi
}

inline put()
{
    take(POOLED, RANK_ARENA);
    work();
#ifdef BUG_PUT_WITH_ARENA_LOCKED
    take(POOL, RANK_POOL);
    drop(POOL, RANK_POOL);
    drop(POOLED, RANK_ARENA)
#else
    drop(POOLED, RANK_ARENA);
    drain();
    take(POOL, RANK_POOL);
    drop(POOL, RANK_POOL)
#endif
}

inline trim(arena)
{
    take(arena, RANK_ARENA);
    if
    :: damaged[arena] -> repair(arena, POOLED)
    :: else
    fi;
    damaged[arena] = false;
    work();
    drop(arena, RANK_ARENA);
    drain()
}

inline walk()
{
    read();
#ifdef BUG_WALK_IN_WALK
    read();
    unlock();
#endif
    registry();
    unlock()
}

inline any_call()
{
    if
    :: slow_call(SHARED, SHARED + 1)
    :: get()
    :: walk()
    :: work()
#ifndef FORK
    :: slow_call(SHARED + 1, SHARED)
    :: put()
    :: trim(SHARED)
    :: trim(POOLED)
#endif
    fi
}

proctype caller(byte self)
{
    byte held, calls;
    bool before;

    {
        do
        :: calls < CALLS ->
            any_call();
            calls++;
            first_ended = first_ended || self == 0
        :: else -> break
        od
    } GONE_AFTER_FORK
}

proctype child()
{
    byte mutex;

    if
    :: d_step {
           !first_ended ->
           forked = true;
           for (mutex : 0 .. MUTEXES - 1) {
               locked[mutex] = false
           }
           queue = 0;
           writer = false;
           readers = 0;
#ifndef BUG_STRUCTURE_NOT_HELD_AGAIN
           if
           :: said == WRITE -> writer = true
           :: said == READ -> readers = 1
           :: else
           fi
#endif
       }
       first_ended;
       run caller(CHILD_THREAD)
    :: true
    fi
}

init
{
    byte self;

    atomic {
#ifdef DAMAGED
        damaged[SHARED] = true;
        damaged[SHARED + 1] = true;
#endif
        for (self : 0 .. THREADS - 1) {
            run caller(self)
        }
#ifdef FORK
        run child()
#endif
    }
    timeout;
    assert(_nr_pr == 1);
    assert(!writer && readers == 0 && queue == 0);
    for (self : 0 .. MUTEXES - 1) {
        assert(!locked[self])
    }
}
