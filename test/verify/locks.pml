/*
 * The locks, and every nesting in which the library takes them:
 *     arena pool -> an arena's own -> an arena's repair lock -> structure lock -> LARGE registry
 *
 *   step here             in the code
 *   write, read, unlock   structure_lock_write(), structure_lock_read(), structure_unlock()
 *   work                  what a refill or a spill may lead to: heap_create(),
 *                         heap_set_release(), large_trim(). try_destroy() and large_make_way() want
 *                         the same locks, but give up instead of waiting
 *   drain                 push(), remote_drain_pooled(): tries to take the lock of the pooled arena
 *   slow_call             arena_enter() to arena_leave() in a shared arena, which may be damaged
 *   repair                arena_repair_step(): frees chunks, with the repair lock held
 *   to_damaged            arena_leave_for_repair(): while the caller holds the lock of a shared
 *                         arena, it takes the repair lock of another
 *   get, put, trim        pool_get(), pool_put(), pool_trim()
 *   walk                  walk_all(), as if it held both of its locks at once
 *   child                 arena_after_fork(): in a signal handler of thread 0, at any moment
 *
 * The structure lock is a gate and ROOMS rooms, all of them mutexes. A writer takes them all and
 * keeps them; a reader passes through the gate into any room. (The code has four rooms. If none is
 * free, a reader there waits for the first one; here it waits for any.)
 *
 * Checked:
 *   - Nobody waits for a lock while holding one of the same rank or of a later one.
 *   - There is no deadlock, and nobody writes while another thread reads.
 *   - After a fork, every later call of the survivor succeeds, although it may give back mutexes
 *     that were renewed and are free, and may have been waiting for one when it forked.
 *
 * Bounds: two shared arenas and one in the pool; THREADS threads with one call each, of any kind.
 * With FORK there are fewer kinds of calls. Thread 0 then has two calls and forks once, in the
 * first of them, and there is no other thread in the child before that call has ended.
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
 * bug: order BUG_WRITER_LEAVES_A_ROOM
 * bug: order BUG_READER_WITHOUT_ROOM
 * bug: fork BUG_GATE_NOT_RENEWED
 * bug: fork BUG_ROOM_NOT_RENEWED
 */
#define POOL 0
#define SHARED 1 /* and 2 */
#define POOLED 3
#define REGISTRY 4
#define REPAIR_OF(arena) (4 + arena) /* of the two shared ones */
#define GATE 7
#define ROOM 8 /* and 9 */
#define ROOMS 2
#define MUTEXES 10
#define ALL MUTEXES /* all rooms, and the gate */

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

bool locked[MUTEXES];
bool damaged[MUTEXES];
bool writing, forked;
byte reading;
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

inline lock(mutex)
{
    atomic { !locked[mutex] -> locked[mutex] = true }
}

/* What a thread began before a fork may end in the child, where nobody counts it. */
inline note_writing(begins)
{
#ifndef FORK
    d_step {
        assert(!begins || (!writing && reading == 0));
        writing = begins
    }
#else
    skip
#endif
}

inline note_reading(begins)
{
#ifndef FORK
    d_step {
        assert(!writing);
        reading = (begins -> reading + 1 : reading - 1)
    }
#else
    skip
#endif
}

inline write()
{
    may_wait(RANK_STRUCTURE);
    lock(GATE);
    lock(ROOM);
#ifndef BUG_WRITER_LEAVES_A_ROOM
    lock(ROOM + 1);
#endif
    mine = ALL;
    note_writing(true);
    held = held | RANK_STRUCTURE
}

inline read()
{
    may_wait(RANK_STRUCTURE);
    lock(GATE);
#ifdef BUG_READER_WITHOUT_ROOM
    mine = GATE;
    locked[GATE] = false;
#else
    if
    :: atomic { !locked[ROOM] -> locked[ROOM] = true; mine = ROOM }
    :: atomic { !locked[ROOM + 1] -> locked[ROOM + 1] = true; mine = ROOM + 1 }
    fi;
    locked[GATE] = false;
#endif
    note_reading(true);
    held = held | RANK_STRUCTURE
}

inline unlock()
{
    if
    :: mine == ALL ->
        note_writing(false);
#ifndef BUG_WRITER_LEAVES_A_ROOM
        locked[ROOM + 1] = false;
#endif
        locked[ROOM] = false;
        locked[GATE] = false
    :: else ->
        note_reading(false);
#ifndef BUG_READER_WITHOUT_ROOM
        locked[mine] = false
#endif
    fi;
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

/* A repair takes many calls: the arena may still be damaged after each of them. */
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
    byte held, calls, mine;

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
#ifdef BUG_GATE_NOT_RENEWED
               locked[mutex] = locked[mutex] && mutex == GATE
#elif defined(BUG_ROOM_NOT_RENEWED)
               locked[mutex] = locked[mutex] && mutex == ROOM
#else
               locked[mutex] = false
#endif
           }
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
    assert(!writing && reading == 0);
    for (self : 0 .. MUTEXES - 1) {
        assert(!locked[self])
    }
}
