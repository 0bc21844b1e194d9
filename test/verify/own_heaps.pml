/*
 * The own-heap tables of several caches in front of one arena, against heaps that are unmapped and
 * whatever is mapped in their place (src/bins/heap.h, src/arena/cache.c, pool.c).
 *
 *   step here   in the code
 *   get         pool_get(): `in_use` becomes true, with the arena's lock
 *   slow_call   cache_enter(): alone() by the other caches' in_use; heap_create(), which enters the
 *               heap in the caller's table; stack_refill(). Or a flush, after which a heap without
 *               a chunk outside its slabs is unmapped by a caller that is alone
 *   free        api_free(): looks into the table without a lock, then into the heap map; the chunk
 *               enters the thread's own stack
 *   put         pool_put(): flush, own_heaps_clear(), then `in_use` becomes false, with the lock
 *   common      a thread with a common cache: slow calls only, and it keeps no chunk
 *   visitor     visit(): has the lock and no cache, and so unmaps nothing
 *
 * There is one place in the address space. After the arena's heap is gone, a chunk of somebody else
 * is there until the next heap is made.
 *
 * Checked: a thread that finds the place in its table finds a heap of its arena there; a heap with
 * a chunk outside its slabs is not unmapped; every thread ends.
 *
 * Bounds: two threads that each live LIVES times with CALLS calls, each with a cache of its own;
 * one call by a common cache, one visit.
 *
 * run: caches -DLIVES=2 -DCALLS=2
 * bug: caches BUG_NOT_ALONE
 * bug: caches BUG_TABLE_KEPT
 * bug: caches BUG_COMMON_DOES_NOT_LOOK
 * bug: caches BUG_VISITOR_UNMAPS
 * bug: caches BUG_NOT_REMOVED_FROM_OWN_TABLE
 */
#define THREADS 2

bool lock;
bool mapped;
byte outside; /* chunks that are live or in a stack */
bool table[THREADS], in_use[THREADS];

inline unmap()
{
    if
    :: mapped && outside == 0 -> mapped = false
    :: else
    fi
}

inline own_chunk()
{
    if
    :: table[self] -> assert(mapped)
    :: else ->
        assert(mapped); /* the chunk is live */
        table[self] = true
    fi
}

/* A LARGE chunk, or one of another arena, at the same place, whose holder is this thread. */
inline strange_chunk()
{
    atomic {
        if
        :: !mapped -> assert(!table[self])
        :: else
        fi
    }
}

inline flush()
{
    if
    :: stack -> stack = false; outside--
    :: else
    fi
}

inline slow_call()
{
    atomic { !lock -> lock = true }
    alone = !in_use[1 - self];
    if
    :: !stack ->
        if
        :: !mapped -> d_step { mapped = true; table[self] = true }
        :: else
        fi;
        outside++;
        live = true
    :: true /* a call for another heap */
    :: stack ->
        flush();
#ifndef BUG_NOT_ALONE
        if
        :: alone && outside == 0 && mapped ->
#else
        if
        :: outside == 0 && mapped ->
#endif
#ifndef BUG_NOT_REMOVED_FROM_OWN_TABLE
            table[self] = false;
#endif
            mapped = false
        :: else
        fi
    fi;
    lock = false
}

inline put()
{
    atomic { !lock -> lock = true }
    flush();
#ifndef BUG_TABLE_KEPT
    table[self] = false;
#endif
    in_use[self] = false;
    lock = false
}

proctype thread(byte self)
{
    byte lives, calls;
    bool alone, live, stack;

    do
    :: lives < LIVES ->
        lives++;
        calls = 0;
        atomic { !lock -> lock = true }
        in_use[self] = true;
        lock = false;
        do
        :: calls < CALLS ->
            calls++;
            slow_call();
            if
            :: live ->
                own_chunk();
                d_step { live = false; stack = true }
            :: else
            fi;
            strange_chunk()
        :: else -> break
        od;
        put()
    :: else -> break
    od
}

proctype common()
{
    atomic { !lock -> lock = true }
    if
#ifdef BUG_COMMON_DOES_NOT_LOOK
    :: true -> unmap()
#else
    :: !in_use[0] && !in_use[1] -> unmap()
    :: else
#endif
    fi;
    lock = false
}

proctype visitor()
{
    atomic { !lock -> lock = true }
#ifdef BUG_VISITOR_UNMAPS
    unmap();
#endif
    lock = false
}

init
{
    atomic {
        run thread(0);
        run thread(1);
        run common();
        run visitor()
    }
    timeout;
    assert(_nr_pr == 1 && !lock && outside == 0)
}
