/*
 * Remote frees and visits: freed chunks return to their arena as parcels (src/arena/remote.c,
 * receive.c, visit.c).
 *
 * The arena's thread hands chunks out to THREADS threads, which free them. Then it makes no calls
 * any more. A visitor returns what its calls leave. Chunks that have returned are handed out again,
 * and parcels are used again, so a compare-and-exchange can see the same head again with other
 * parcels behind it.
 *
 *   step here     in the code
 *   thread        remote_free_aligned(): the state becomes REMOTE; collect()
 *   send          remote_send(): when the parcel is full, and when the thread ends
 *   push          push(): link, compare-and-exchange, and again with the head that was seen; then
 *                 arena_stir()
 *   receive       receive(), return_some(): open_inbox() by load and exchange; at most UNPACK
 *                 parcels at a time, the rest stays in `unpacking`
 *   take_back     arrive_tiny(), arrive_small(): the state must be REMOTE, or it is an error
 *   owner         cache_enter(), cache_alloc(), cache_leave(): when the stack is empty, receive
 *   visitor       visit_others(), visit()
 *
 * Bounds: CHUNKS chunks, THREADS threads, HAND_OUTS requests, and as many parcels as can be in use
 * at once. A parcel has room for ROOM chunks. Only one thread at a time writes to a parcel, so
 * filling it is one step. The depot of parcels is one step, too, because it has a lock.
 *
 * Checked: a chunk that is handed out was free; a chunk that returns was in state REMOTE, so it
 * returns once; nobody unpacks without the lock; when nothing moves any more, all chunks have
 * returned, although the arena's thread made no call: no parcel waits for ever.
 *
 * run: two-threads -DTHREADS=2 -DCHUNKS=3 -DHAND_OUTS=4 -DROOM=1 -DUNPACK=1
 * run: full-parcels -DTHREADS=2 -DCHUNKS=4 -DHAND_OUTS=5 -DROOM=2 -DUNPACK=2
 * bug: two-threads BUG_PUSH_WITHOUT_COMPARE
 * bug: two-threads BUG_PUSH_STALE_LINK
 * bug: two-threads BUG_RECEIVE_WITHOUT_EXCHANGE
 * bug: two-threads BUG_RECEIVE_FORGETS_REST
 * bug: full-parcels BUG_NOTHING_SENT_AT_EXIT
 * bug: two-threads BUG_PARCEL_SENT_AGAIN
 * bug: two-threads BUG_CLEARED_AFTER_RECEIVING
 * bug: two-threads BUG_STIRRED_BEFORE_PUSH
 * bug: two-threads BUG_NOT_STIRRED_WHEN_UNFINISHED
 * bug: two-threads BUG_REFUSED_CLEARS
 * bug: two-threads BUG_VISIT_WITHOUT_LOCK
 */
#define NONE 255
#define PARCELS (CHUNKS + THREADS)

mtype = { LIVE, REMOTE, FREE };

mtype state[CHUNKS] = FREE;
byte inbox = NONE;
bool restless;

/* Guarded by the arena's lock. */
bool lock;
byte unpacking = NONE;
bool inside;

byte next[PARCELS] = NONE;
byte contents[PARCELS]; /* a set of chunks */
bool used[PARCELS];

/* How the program passes chunks from thread to thread. NONE: no more will come. */
chan given[THREADS] = [1] of { byte };

inline stir()
{
    if
    :: !restless -> restless = true
    :: else
    fi
}

inline push()
{
    seen = inbox;
#ifdef BUG_STIRRED_BEFORE_PUSH
    stir();
#endif
    do
    :: true ->
        next[parcel] = seen;
#ifdef BUG_PUSH_WITHOUT_COMPARE
        inbox = parcel;
        break
#else
        if
        :: atomic { inbox == seen -> inbox = parcel }
            break
#ifdef BUG_PUSH_STALE_LINK
        :: atomic { inbox != seen -> inbox = parcel }
            break
#else
        :: atomic { inbox != seen -> seen = inbox }
#endif
        fi
#endif
    od;
#ifndef BUG_STIRRED_BEFORE_PUSH
    stir();
#endif
    skip;
#ifndef BUG_PARCEL_SENT_AGAIN
    d_step { parcel = NONE; seen = NONE; filled = 0 }
#else
    filled = 0
#endif
}

/* Puts a chunk into the parcel, which is taken from the depot if there is none. */
inline collect()
{
    d_step {
        assert(state[chunk] == LIVE);
        state[chunk] = REMOTE;
        if
        :: parcel == NONE ->
            parcel = 0;
            do
            :: used[parcel] -> parcel++
            :: else -> break
            od;
            used[parcel] = true;
            contents[parcel] = 0
        :: else
        fi;
        contents[parcel] = contents[parcel] | (1 << chunk);
        filled++;
        chunk = NONE
    }
}

proctype thread(byte self)
{
    byte parcel = NONE, filled, seen = NONE, chunk;

    do
    :: given[self]?chunk ->
        if
        :: chunk == NONE -> break
        :: else ->
            collect();
            if
            :: filled >= ROOM -> push()
            :: else
            fi
        fi
    od;
#ifndef BUG_NOTHING_SENT_AT_EXIT
    if
    :: filled > 0 -> push()
    :: else
    fi
#endif
}

/* Unpacks one parcel, and puts it into the depot. */
inline take_back()
{
    d_step {
        parcel = unpacking;
        unpacking = next[parcel];
        for (chunk : 0 .. CHUNKS - 1) {
            if
            :: contents[parcel] & (1 << chunk) ->
                assert(state[chunk] == REMOTE);
                state[chunk] = FREE
            :: else
            fi
        }
        assert(used[parcel]);
        used[parcel] = false;
        left--;
        parcel = NONE;
        chunk = NONE
    }
}

inline receive()
{
    atomic { assert(!inside); inside = true; left = UNPACK }
#ifdef BUG_RECEIVE_FORGETS_REST
    unpacking = NONE;
#endif
    if
    :: unpacking == NONE && inbox != NONE ->
#ifdef BUG_RECEIVE_WITHOUT_EXCHANGE
        unpacking = inbox;
        inbox = NONE
#else
        atomic { unpacking = inbox; inbox = NONE }
#endif
    :: else
    fi;
    do
    :: unpacking != NONE && left > 0 -> take_back()
    :: else -> break
    od;
    inside = false
}

/* Any free chunk will do: takes the lowest, or NONE. */
inline pop()
{
    d_step {
        chunk = 0;
        do
        :: chunk < CHUNKS && state[chunk] != FREE -> chunk++
        :: else -> break
        od;
        if
        :: chunk == CHUNKS -> chunk = NONE
        :: else -> state[chunk] = LIVE
        fi
    }
}

proctype owner()
{
    byte handed, left, parcel = NONE, chunk = NONE;

    do
    :: handed < HAND_OUTS ->
        handed++;
        atomic { !lock -> lock = true }
        stir();
        pop();
        if
        :: chunk == NONE ->
            receive();
            pop()
        :: else
        fi;
        lock = false;
        if
        :: chunk == NONE /* the real one takes fresh memory */
        :: chunk != NONE && handed % 2 == 0 -> given[0]!chunk
        :: chunk != NONE && handed % 2 == 1 -> given[1]!chunk
        fi
    :: else -> break
    od;
    for (chunk : 0 .. THREADS - 1) {
        given[chunk]!NONE
    }
}

proctype visitor()
{
    byte left, parcel = NONE, chunk = NONE;

end:
    do
    :: restless ->
#ifdef BUG_REFUSED_CLEARS
        restless = false;
#endif
#ifdef BUG_VISIT_WITHOUT_LOCK
        restless = false;
        receive();
#else
        if
        :: atomic { !lock -> lock = true }
#ifndef BUG_CLEARED_AFTER_RECEIVING
            restless = false;
#endif
            receive();
#ifdef BUG_CLEARED_AFTER_RECEIVING
            if
            :: unpacking == NONE && inbox == NONE -> restless = false
            :: else
            fi;
#elif !defined(BUG_NOT_STIRRED_WHEN_UNFINISHED)
            if
            :: unpacking != NONE -> stir()
            :: unpacking == NONE && inbox != NONE -> stir()
            :: unpacking == NONE && inbox == NONE
            fi;
#endif
            lock = false
        :: atomic { lock -> skip }
        fi
#endif
    od
}

init
{
    byte self;

    atomic {
        run visitor();
        run owner();
        for (self : 0 .. THREADS - 1) {
            run thread(self)
        }
    }
    timeout;
    assert(_nr_pr == 2 && !lock);
    for (self : 0 .. CHUNKS - 1) {
        assert(state[self] == FREE)
    }
    for (self : 0 .. PARCELS - 1) {
        assert(!used[self])
    }
}
