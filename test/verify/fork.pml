/*
 * The child of a fork: is an arena sound, and who may use what before its repair has begun
 * (sound(), begin() in src/arena/fork.c; must_wait() in thread.c; pool_put() in pool.c).
 *
 *   step here   in the code
 *   other       a thread that does not exist in the child: it gets a cache, makes slow calls with
 *               the lock, has chunks in its stack, and gives the cache back
 *   visitor     visit(): changes the slabs with the lock, and has no cache
 *   fork        arena_after_fork(), between two calls of the thread that survives
 *   survivor    in the child: fast calls unless it waits, slow calls, and its end
 *   newcomer    a thread that the child starts: bind() with the cache that `other` had, and
 *               begin_repair()
 *
 * A chunk is live, free in a slab, or free in a stack. `torn` says that somebody is changing the
 * slabs, and `torn_stack` that the other thread is changing its stack.
 *
 * Checked: in the child nobody uses slabs or a stack that somebody was changing; no chunk is handed
 * out twice; at the end every free chunk is in a slab or in the stack of a thread that exists.
 *
 * Bounds: two chunks; one call of each kind; in the child the survivor makes a fast and a slow
 * call, each of which it may leave out, and ends.
 *
 * run: fork
 * bug: fork BUG_IN_USE_NOT_READ
 * bug: fork BUG_HOLDER_NOT_READ
 * bug: fork BUG_HOLDER_CLEARED_EARLY
 * bug: fork BUG_IDLE_BEFORE_FLUSHED
 * bug: fork BUG_SURVIVOR_DOES_NOT_WAIT
 * bug: fork BUG_PUT_BEFORE_REPAIR
 */
#define SLAB 0
#define MINE 1   /* in the survivor's stack */
#define OTHERS 2 /* in the other thread's stack, or the newcomer's */
#define LIVE 3

#define GONE unless { forked }

byte place[2] = SLAB;
bool live[2]; /* the state, which is the truth */
bool lock, holder, torn, torn_stack, in_use, forked, damaged, waits;

inline take() { atomic { !lock -> lock = true } holder = true }

inline drop() { holder = false; lock = false }

inline move(from, to)
{
    d_step {
        if
        :: place[0] == from -> place[0] = to; live[0] = (to == LIVE)
        :: else ->
            if
            :: place[1] == from -> place[1] = to; live[1] = (to == LIVE)
            :: else
            fi
        fi
    }
}

inline move_all(from, to)
{
    move(from, to);
    move(from, to)
}

proctype other()
{
    {
        take();
        in_use = true;
        drop();
        take();
        torn = true;
        move(SLAB, OTHERS);
        torn = false;
        drop();
        torn_stack = true;
        torn_stack = false;
#ifdef BUG_IDLE_BEFORE_FLUSHED
        in_use = false;
#endif
        take();
        torn = true;
        move_all(OTHERS, SLAB);
        torn = false;
        in_use = false;
        drop()
    } GONE
}

proctype visitor()
{
    {
        take();
        torn = true;
#ifdef BUG_HOLDER_CLEARED_EARLY
        holder = false;
#endif
        torn = false;
        drop()
    } GONE
}

/* The survivor's stack is emptied, too: see cache_forget(). */
inline repair()
{
    if
    :: damaged ->
        atomic {
            place[0] = (live[0] -> LIVE : SLAB);
            place[1] = (live[1] -> LIVE : SLAB);
            torn = false;
            torn_stack = false;
            damaged = false
        }
    :: else
    fi
}

inline use_slabs()
{
    assert(!torn)
}

proctype newcomer()
{
    take();
    repair();
    drop();
    assert(!torn_stack);
    take();
    use_slabs();
    move(SLAB, OTHERS);
    drop()
}

proctype survivor()
{
    byte chunk = 2;

    /* In the parent: a slow call has left a chunk in its stack. */
    take();
    torn = true;
    move(SLAB, MINE);
    torn = false;
    drop();
    atomic {
        forked = true;
        damaged = false;
#ifndef BUG_IN_USE_NOT_READ
        damaged = damaged || in_use;
#endif
#ifndef BUG_HOLDER_NOT_READ
        damaged = damaged || holder;
#endif
#ifndef BUG_SURVIVOR_DOES_NOT_WAIT
        waits = damaged;
#endif
        lock = false;
        holder = false;
        in_use = false;
        run newcomer()
    }
    if
    :: !waits ->
        /* A fast call: the chunk is popped, then its state is stored. */
        d_step {
            if
            :: place[0] == MINE -> chunk = 0
            :: else ->
                if
                :: place[1] == MINE -> chunk = 1
                :: else
                fi
            fi
        }
        if
        :: chunk < 2 -> atomic { assert(place[chunk] == MINE); place[chunk] = LIVE }
            live[chunk] = true
        :: else
        fi
    :: true
    fi;
    if
    :: take();
        repair();
        waits = false;
        use_slabs();
        drop()
    :: true
    fi;
    /* The thread ends. */
    take();
#ifndef BUG_PUT_BEFORE_REPAIR
    repair();
#endif
    use_slabs();
    move_all(MINE, SLAB);
    drop()
}

init
{
    atomic {
        run other();
        run visitor();
        run survivor()
    }
    timeout;
    assert(_nr_pr == 1 && !lock && !damaged && !torn && !torn_stack);
    assert(place[0] != MINE && place[1] != MINE);
    assert((place[0] == LIVE) == live[0] && (place[1] == LIVE) == live[1]);
    /* The newcomer keeps one chunk at most; another one would be lost. */
    assert(!(place[0] == OTHERS && place[1] == OTHERS))
}
