/*
 * How an arena passes from a thread that ends, through the pool, to a thread that begins
 * (src/arena/pool.c), while other threads push to its inbox, trim it, or find it damaged in the
 * child of a fork (src/arena/remote.c, fork.c).
 *
 *   step here     in the code
 *   member        a thread: pool_get(), calls that receive, pool_put(); it lives LIVES times
 *   receive_all   remote_receive_all(). Whatever else the holder of the arena may do needs the
 *                 same rights, so the model has no step for it
 *   adopt, put    adopt(), pool_put()
 *   drain         remote_drain_pooled()
 *   free_remote   remote_free(): arena_leave_for_repair(), chunk_mark(), push()
 *   trimmer       pool_trim(), for this arena
 *   repair_step   arena_repair_step(): the inbox is forgotten, then each marked chunk becomes free,
 *                 one at a time. `unseen` is the set of chunks that the repair has yet to reach
 *   fork          arena_after_fork(), pool_after_fork(): in a signal handler, in the middle of
 *                 pool_put()
 *
 * There is one arena. The inbox is a set of chunks; how it is linked is modelled in inbox.pml.
 * Every load of `use`, of `damaged` and of the inbox is a step of its own, and so is every locking.
 * `inside` says that somebody unpacks; two at once are an error.
 *
 * Checked:
 *   - The arena never has two owners, and there are never two threads in it.
 *   - No chunk is taken back twice.
 *   - When all threads have ended, the arena is in the pool once. Unless it is still damaged, all
 *     freed chunks are back. Its inbox is empty, unless nobody has begun to repair it.
 *   - Nobody unpacks for an arena whose repair has not begun.
 *   - Every thread ends.
 * So a chunk that is pushed to an arena in the pool is unpacked by one of the threads that are
 * working on the arena at that moment, or, in the child of a fork, by a thread that found the arena
 * repaired and has a chunk to push. It never waits for a new thread.
 *
 * Bounds: MEMBERS threads own the arena in turn, LIVES times each. One thread frees two chunks (one
 * if SECOND is 0), and without FORK another frees one. With TRIM there is one call of
 * malloc_trim(). With DAMAGED the arena begins in the pool of the child of a fork. With FORK its
 * thread forks in a signal handler; in the child, two more threads begin after the interrupted call
 * has ended, not before. One step of the repair handles one chunk.
 *
 * run: alive -DMEMBERS=2 -DLIVES=1 -DSECOND=2 -DTRIM
 * run: again -DMEMBERS=2 -DLIVES=2 -DSECOND=2
 * run: three-members -DMEMBERS=3 -DLIVES=1 -DSECOND=0
 * run: damaged -DMEMBERS=1 -DLIVES=1 -DSECOND=2 -DTRIM -DDAMAGED
 * run: fork -DMEMBERS=2 -DLIVES=1 -DSECOND=0 -DFORK
 * bug: alive BUG_SAY_POOLED_LAST
 * bug: alive BUG_NO_LOOK_AFTER_UNLOCKING
 * bug: alive BUG_LOOK_THEN_PUSH
 * bug: alive BUG_DRAIN_ONCE
 * bug: alive BUG_USE_NOT_LOOKED_AT_AGAIN
 * bug: alive BUG_ADOPT_WITHOUT_LOCK
 * bug: alive BUG_LISTED_TOO_EARLY
 * bug: three-members BUG_POOL_WITHOUT_LOCK
 * bug: damaged BUG_MARK_WITHOUT_LOCK
 * bug: damaged BUG_PUSH_TO_DAMAGED
 * bug: damaged BUG_MARK_IN_FRONT_OF_THE_PLACE
 * bug: fork BUG_POOL_SORTED_WHILE_PUTTING
 */
#define X 1
#define NONE 0

#if defined(DAMAGED) || defined(FORK)
#define CAN_BE_DAMAGED 1
#else
#define CAN_BE_DAMAGED 0
#endif

/* In the child, only the thread that forked continues, and the threads that it starts. */
#define CHILD_THREADS 16
#ifdef FORK
#define GONE_AFTER_FORK unless { forked && self != 0 && self < CHILD_THREADS }
#else
#define GONE_AFTER_FORK
#endif

mtype = { ACTIVE, POOLED };

/* Values of `damaged`. */
#define NOT_BEGUN 1
#define UNDER_REPAIR 2

mtype use = ACTIVE;
bool lock, pool_lock, repair_lock;
byte damaged;
byte inbox, home, marked, freed, unseen; /* sets of chunks, one bit for each */
byte idle = NONE, next_pooled = NONE;
bool inside, owned, forked, putting, put_ended;

inline take(mutex)
{
    atomic { !mutex -> mutex = true }
}

/* The holder takes the whole inbox at once: in between, it can only grow. */
inline receive_all()
{
    do
    :: atomic {
           inbox != 0 ->
           assert(!inside);
           assert(damaged != NOT_BEGUN || forked);
           inside = true;
           got = inbox;
           inbox = 0
       }
       d_step {
           assert((got & marked) == got);
           home = home | got;
           marked = marked & ~got;
           got = 0;
           inside = false
       }
    :: atomic {
           inbox == 0 ->
           assert(!inside);
           break
       }
    od
}

inline repair_step()
{
    take(repair_lock);
    if
    :: damaged == NOT_BEGUN ->
        atomic { assert(!inside); inside = true; damaged = UNDER_REPAIR; inbox = 0 }
        d_step { unseen = 7; inside = false }
    :: else
    fi;
    d_step {
        got = unseen & (8 - unseen); /* the lowest */
        home = home | (marked & got);
        marked = marked & ~got;
        unseen = unseen & ~got;
        got = 0
    }
    if
    :: damaged == UNDER_REPAIR && unseen == 0 -> damaged = 0
    :: else
    fi;
    repair_lock = false
}

inline drain()
{
    do
    :: use != POOLED -> break
    :: else ->
        if
        :: CAN_BE_DAMAGED && damaged == NOT_BEGUN -> break
        :: else
        fi;
        if
        :: inbox == 0 -> break
        :: else
        fi;
        if
        :: atomic { !lock -> lock = true }
        :: atomic { lock -> break }
        fi;
        if
#ifdef BUG_USE_NOT_LOOKED_AT_AGAIN
        :: true -> receive_all()
#else
        :: use == POOLED && damaged != NOT_BEGUN -> receive_all()
        :: else
#endif
        fi;
        lock = false;
#ifdef BUG_DRAIN_ONCE
        break
#endif
    od
}

inline mark(chunk)
{
    marked = marked | chunk;
    freed = freed | chunk
}

inline leave_for_repair(chunk)
{
    if
    :: damaged ->
#ifndef BUG_MARK_WITHOUT_LOCK
        take(repair_lock);
#endif
        if
#ifdef BUG_MARK_IN_FRONT_OF_THE_PLACE
        :: damaged -> left = true
#else
        :: damaged == NOT_BEGUN || (damaged == UNDER_REPAIR && (unseen & chunk)) -> left = true
#endif
        :: else
        fi;
        if
        :: left -> d_step { mark(chunk) }
        :: else
        fi;
#ifndef BUG_MARK_WITHOUT_LOCK
        repair_lock = false
#endif
    :: else
    fi
}

inline push(chunk)
{
    if
    :: !CAN_BE_DAMAGED -> d_step { mark(chunk); inbox = inbox | chunk }
    :: else ->
        d_step { mark(chunk) }
        inbox = inbox | chunk
    fi
}

inline free_remote(chunk)
{
#if CAN_BE_DAMAGED && !defined(BUG_PUSH_TO_DAMAGED)
    leave_for_repair(chunk);
#endif
    if
    :: !left ->
#ifdef BUG_LOOK_THEN_PUSH
        if
        :: use == POOLED ->
            push(chunk);
            drain()
        :: else -> push(chunk)
        fi
#else
        push(chunk);
        drain()
#endif
    :: else
    fi;
    left = false
}

inline adopt()
{
#ifndef BUG_ADOPT_WITHOUT_LOCK
    take(lock);
#endif
    if
    :: CAN_BE_DAMAGED && damaged -> repair_step()
    :: else
    fi;
    use = ACTIVE;
#ifndef BUG_ADOPT_WITHOUT_LOCK
    lock = false
#endif
}

inline list_idle()
{
    take(pool_lock);
    next_pooled = idle;
    d_step { owned = false; idle = X; pool_lock = false }
}

inline put()
{
    putting = self == 0;
#ifdef BUG_LISTED_TOO_EARLY
    list_idle();
#endif
    take(lock);
#ifndef BUG_SAY_POOLED_LAST
    use = POOLED;
#endif
    receive_all();
    lock = false;
#ifndef BUG_NO_LOOK_AFTER_UNLOCKING
    drain();
#endif
#ifdef BUG_SAY_POOLED_LAST
    use = POOLED;
#endif
#ifndef BUG_LISTED_TOO_EARLY
    list_idle();
#endif
    putting = putting && self != 0
}

inline take_idle()
{
    if
    :: idle == X ->
        owns = true;
        assert(!owned);
        owned = true;
        idle = next_pooled
    :: else
    fi
}

inline get()
{
#ifdef BUG_POOL_WITHOUT_LOCK
    take_idle();
#else
    take(pool_lock);
    d_step { take_idle(); pool_lock = false }
#endif
    if
    :: owns -> adopt()
    :: else /* a new arena */
    fi
}

proctype member(byte self; bool owns)
{
    byte got, lives;

    {
        do
        :: lives < LIVES && !(self == 0 && forked) ->
            lives++;
            if
            :: !owns -> get()
            :: else
            fi;
            if
            :: owns ->
                if
                :: CAN_BE_DAMAGED && damaged -> repair_step()
                :: true
                fi;
                receive_all();
                put();
                owns = false
            :: else
            fi
        :: else -> break
        od
    } GONE_AFTER_FORK;
    put_ended = put_ended || self == 0
}

proctype freer(byte self, first, second)
{
    byte got;
    bool left;

    {
        free_remote(first);
        if
        :: second != 0 -> free_remote(second)
        :: else
        fi
    } GONE_AFTER_FORK
}

proctype trimmer(byte self)
{
    byte got;

    {
        take(lock);
        if
        :: use != ACTIVE ->
            do
            :: CAN_BE_DAMAGED && damaged -> repair_step()
            :: !damaged -> break
            od;
            receive_all()
        :: else /* its own thread will do it: trim_wanted */
        fi;
        lock = false;
        drain()
    } GONE_AFTER_FORK
}

/*
 * Forks at any moment of member 0's put(). The child's pool is not sorted anew, because the
 * interrupted call is working on it. So an arena that had just been taken out by a thread that is
 * gone belongs to nobody: it is wasted, which is harmless.
 */
proctype handler()
{
    if
    :: d_step {
           putting ->
           forked = true;
           damaged = NOT_BEGUN;
           lock = false;
           pool_lock = false;
           repair_lock = false;
           inside = false;
#ifdef BUG_POOL_SORTED_WHILE_PUTTING
           use = POOLED;
           idle = X;
           next_pooled = NONE;
           owned = false
#endif
       }
       put_ended;
       atomic {
           run member(CHILD_THREADS, false);
           run member(CHILD_THREADS + 1, false)
       }
    :: put_ended
    fi
}

init
{
    byte self;

    atomic {
#ifdef DAMAGED
        use = POOLED;
        damaged = NOT_BEGUN;
        idle = X;
        /* Parcels from before the fork. */
        inbox = 4;
        marked = 4;
        freed = 4;
#else
        owned = true;
#endif
        for (self : 0 .. MEMBERS - 1) {
            run member(self, self == 0 && owned)
        }
        run freer(8, 1, SECOND);
#if !defined(FORK) && !defined(DAMAGED)
        run freer(9, 4, 0);
#endif
#ifdef TRIM
        run trimmer(10);
#endif
#ifdef FORK
        run handler()
#endif
    }
    timeout;
    assert(_nr_pr == 1);
    assert(next_pooled == NONE && (forked || (use == POOLED && idle == X)));
    assert(damaged == NOT_BEGUN || inbox == 0);
    assert((home | marked) == freed && (damaged || marked == 0))
}
