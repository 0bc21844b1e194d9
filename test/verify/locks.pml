/*
 * The locks, and every nesting in which the library takes them:
 *     pool -> an arena's own -> its repair lock -> structure lock -> LARGE registry -> parcel depot
 *
 *   step here             in the code
 *   write, read, unlock   structure_lock_write(), structure_lock_read(), structure_unlock()
 *   try_write             structure_lock_try_write(), for try_destroy()
 *   work                  what may happen while an arena's lock is held: heap_create() and
 *                         heap_set_release() write, large_trim() takes the registry, parcel_put()
 *                         the depot, try_destroy() only tries the structure lock. large_make_way()
 *                         only tries the registry, and does without it
 *   slow_call             cache_enter() to cache_leave(), then visit_others()
 *   visit                 visit(), visit_after_push(): only try the arena's lock
 *   repair                arena_repair_step(): returns chunks to slabs with the repair lock held
 *   remote_free           remote_free(): arena_leave_for_repair() if the other arena is damaged; or
 *                         parcel_get() and push(), or return_directly()
 *   get                   pool_get(): an idle cache; arena_create() without the pool's lock, or
 *                         with it for a common cache; or cache_create(). Then begin_repair()
 *   put                   pool_put()
 *   trim                  malloc_trim(): its own arena, then visit_to_trim() and large_trim()
 *   walk                  walk_all(), as if it held both of its locks at once
 *   child                 arena_after_fork(): in a signal handler of thread 0, at any moment
 *
 * The structure lock is a gate and ROOMS rooms, all of them mutexes. A writer takes them all and
 * keeps them; a reader passes through the gate into any room. (The code has four rooms. If none is
 * free, a reader there waits for the first one; here it waits for any.)
 *
 * Checked:
 *   - Nobody waits for a lock while holding one of the same rank or of a later one.
 *   - Nobody tries an arena's lock while holding a lock, so nobody holds the locks of two arenas.
 *   - There is no deadlock, and nobody writes while another thread reads.
 *   - After a fork, every later call of the survivor succeeds, although it may give back mutexes
 *     that were renewed and are free, and may have been waiting for one when it forked.
 *
 * Bounds: two arenas; THREADS threads with one call each, of any kind. Threads 0 and 2 have caches
 * in front of the first arena, thread 1 in front of the second. With FORK there are fewer kinds of
 * calls, without visits and the depot. Thread 0 then has two calls and forks once, in the first of
 * them, and there is no other thread in the child before that call has ended. In the child both
 * arenas are damaged.
 *
 * run: order -DTHREADS=3
 * run: damaged -DTHREADS=2 -DDAMAGED
 * run: fork -DTHREADS=2 -DFORK
 * bug: order BUG_REGISTRY_BEFORE_STRUCTURE
 * bug: order BUG_REGISTRY_BEFORE_STRUCTURE -DNO_RANKS
 * bug: order BUG_REGISTRY_IN_DEPOT
 * bug: order BUG_PUT_WITH_ARENA_LOCKED
 * bug: order BUG_PUT_WITH_ARENA_LOCKED -DNO_RANKS
 * bug: order BUG_VISITOR_WAITS
 * bug: order BUG_VISITOR_WAITS -DNO_RANKS
 * bug: order BUG_VISIT_WITH_OWN_LOCKED
 * bug: order BUG_RETURN_WITH_OWN_LOCKED
 * bug: order BUG_RETURN_WITH_OWN_LOCKED -DNO_RANKS
 * bug: order BUG_TRIM_KEEPS_OWN
 * bug: order BUG_TRIM_KEEPS_OWN -DNO_RANKS
 * bug: order BUG_LOCKED_AGAIN
 * bug: order BUG_LOCKED_AGAIN -DNO_RANKS
 * bug: order BUG_WALK_IN_WALK -DNO_RANKS
 * bug: order BUG_WRITER_LEAVES_A_ROOM
 * bug: order BUG_READER_WITHOUT_ROOM
 * bug: order BUG_TRY_KEEPS_GATE
 * bug: damaged BUG_REPAIR_WAITS
 * bug: damaged BUG_REPAIR_WAITS -DNO_RANKS
 * bug: damaged BUG_RETURN_WITH_REPAIR_LOCKED
 * bug: damaged BUG_RETURN_WITH_REPAIR_LOCKED -DNO_RANKS
 * bug: fork BUG_GATE_NOT_RENEWED
 * bug: fork BUG_ROOM_NOT_RENEWED
 */
#define POOL 0
#define ARENA 1 /* and 2 */
#define REPAIR_OF(arena) (2 + arena)
#define REGISTRY 5
#define DEPOT 6
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
#define RANK_DEPOT 32

#define CHILD_THREAD 8
#ifdef FORK
#define GONE_AFTER_FORK unless { forked && self != 0 && self < CHILD_THREAD }
#define CALLS (self == 0 -> 2 : 1)
#else
#define GONE_AFTER_FORK
#define CALLS 1
#endif

bool locked[MUTEXES];
bool damaged[3]; /* by the number of the arena */
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

inline may_try()
{
#ifndef NO_RANKS
    assert(held == 0)
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

inline try_write()
{
    if
    :: atomic { !locked[GATE] -> locked[GATE] = true }
        if
        :: atomic { !locked[ROOM] -> locked[ROOM] = true }
            if
            :: atomic { !locked[ROOM + 1] -> locked[ROOM + 1] = true }
                mine = ALL;
                note_writing(true);
                held = held | RANK_STRUCTURE;
                unlock()
            :: locked[ROOM + 1] ->
                locked[ROOM] = false;
                locked[GATE] = false
            fi
        :: locked[ROOM] ->
#ifndef BUG_TRY_KEEPS_GATE
            locked[GATE] = false
#endif
        fi
    :: locked[GATE]
    fi
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

inline depot()
{
    take(DEPOT, RANK_DEPOT);
#ifdef BUG_REGISTRY_IN_DEPOT
    registry();
#endif
    drop(DEPOT, RANK_DEPOT)
}

inline work()
{
    if
    :: write(); unlock()
#ifndef BUG_WRITER_LEAVES_A_ROOM
    :: try_write()
#endif
    :: registry()
#ifndef FORK
    :: depot()
#endif
    fi
}

inline repair(arena)
{
    take(REPAIR_OF(arena), RANK_REPAIR);
    work();
#ifdef BUG_REPAIR_WAITS
    take(other, RANK_ARENA);
    drop(other, RANK_ARENA);
#endif
    drop(REPAIR_OF(arena), RANK_REPAIR)
}

/* A repair takes many calls: the arena may still be damaged after each of them. */
inline repair_if_damaged(arena)
{
    if
    :: damaged[arena] ->
        repair(arena);
        if
        :: damaged[arena] = false
        :: true
        fi
    :: else
    fi
}

inline visit(arena)
{
    may_try();
    if
    :: atomic { !locked[arena] -> locked[arena] = true; held = held | RANK_ARENA }
        if
        :: damaged[arena]
        :: else -> work()
        fi;
        drop(arena, RANK_ARENA)
    :: locked[arena]
    fi
}

inline slow_call()
{
    take(own, RANK_ARENA);
    repair_if_damaged(own);
    work();
#ifdef BUG_LOCKED_AGAIN
    take(own, RANK_ARENA);
#endif
#ifdef BUG_VISITOR_WAITS
    take(other, RANK_ARENA);
    drop(other, RANK_ARENA);
#endif
#ifdef BUG_VISIT_WITH_OWN_LOCKED
    visit(other);
#endif
    drop(own, RANK_ARENA);
#ifndef FORK
    visit(other)
#endif
}

inline return_directly()
{
    take(other, RANK_ARENA);
    if
    :: damaged[other]
    :: else -> work()
    fi;
    locked[other] = false
}

inline remote_free()
{
    if
    :: damaged[other] ->
        take(REPAIR_OF(other), RANK_REPAIR);
#ifdef BUG_RETURN_WITH_REPAIR_LOCKED
        return_directly();
#endif
        drop(REPAIR_OF(other), RANK_REPAIR)
    :: else ->
#ifdef BUG_RETURN_WITH_OWN_LOCKED
        take(own, RANK_ARENA);
#endif
        if
        :: depot(); visit(other)
        :: return_directly()
        fi;
#ifdef BUG_RETURN_WITH_OWN_LOCKED
        locked[own] = false;
#endif
        held = 0
    fi
}

inline get()
{
    take(POOL, RANK_POOL);
    if
    :: true
    :: write(); unlock()
    :: drop(POOL, RANK_POOL);
        write();
        unlock();
        take(POOL, RANK_POOL)
    :: take(own, RANK_ARENA);
        drop(own, RANK_ARENA)
    fi;
    drop(POOL, RANK_POOL);
    if
    :: damaged[own] ->
        take(own, RANK_ARENA);
        repair_if_damaged(own);
        drop(own, RANK_ARENA)
    :: else
    fi
}

inline put()
{
    if
    :: damaged[own] ->
        take(own, RANK_ARENA);
        repair_if_damaged(own);
        drop(own, RANK_ARENA)
    :: else
    fi;
    visit(other);
    depot();
    take(own, RANK_ARENA);
    repair_if_damaged(own);
    work();
#ifdef BUG_PUT_WITH_ARENA_LOCKED
    take(POOL, RANK_POOL);
    drop(POOL, RANK_POOL);
    drop(own, RANK_ARENA)
#else
    drop(own, RANK_ARENA);
    take(POOL, RANK_POOL);
    drop(POOL, RANK_POOL)
#endif
}

/* The repair of an arena ends before it is trimmed. */
inline trim_one(arena)
{
    take(arena, RANK_ARENA);
    if
    :: damaged[arena] ->
        repair(arena);
        damaged[arena] = false
    :: else
    fi;
    work();
#ifndef BUG_TRIM_KEEPS_OWN
    drop(arena, RANK_ARENA)
#endif
}

inline trim()
{
    trim_one(own);
    trim_one(other);
#ifdef BUG_TRIM_KEEPS_OWN
    drop(own, RANK_ARENA);
    drop(other, RANK_ARENA);
#endif
    registry()
}

inline walk()
{
    read();
#ifdef BUG_WALK_IN_WALK
    outer = mine;
    read();
    unlock();
    mine = outer;
#endif
    registry();
    unlock()
}

inline any_call()
{
    if
    :: slow_call()
    :: get()
    :: walk()
#ifndef FORK
    :: true -> remote_free()
    :: true -> put()
    :: trim()
#endif
    fi
}

proctype caller(byte self)
{
    byte held, calls, mine, outer;
    byte own = ARENA + self % 2, other = ARENA + 1 - self % 2;

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
           damaged[ARENA] = true;
           damaged[ARENA + 1] = true;
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
        damaged[ARENA] = true;
        damaged[ARENA + 1] = true;
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
