/*
 * Remote frees: freed chunks return to their owner as parcels (src/arena/remote.c).
 *
 * The owner hands chunks out to THREADS threads, which free them. Chunks that have returned are
 * handed out again, so each chunk passes through the inbox several times: a compare-and-exchange
 * can see the same head again with other parcels behind it.
 *
 *   step here     in the code
 *   thread        remote_free_aligned(): the state becomes REMOTE; collect_for()
 *   collect       collect(): the chunk's address enters the newest parcel, or the chunk becomes the
 *                 newest parcel
 *   send          send(), push(): link, compare-and-exchange, and again with the head that was seen
 *   receive       receive(): load, exchange; at most UNPACK parcels at a time, the rest stays in
 *                 `unpacking`
 *   take_home     take_tiny_home(), take_small_home(): the state must be REMOTE, or it is an error
 *   owner         arena_alloc(): pop from the stack; when it is empty, remote_receive()
 *
 * Bounds: CHUNKS chunks, THREADS threads, HAND_OUTS requests. A parcel has room for ROOM addresses,
 * and a batch has BATCH chunks. Only one thread at a time writes to the chunks of a parcel, so
 * writing them is one step.
 *
 * Checked: a chunk that is handed out was free; a chunk that returns was in state REMOTE, so it
 * returns once; at the end all chunks have returned; every thread ends.
 *
 * run: two-threads -DTHREADS=2 -DCHUNKS=6 -DHAND_OUTS=10 -DBATCH=3 -DUNPACK=1
 * run: three-threads -DTHREADS=3 -DCHUNKS=4 -DHAND_OUTS=6 -DBATCH=2 -DUNPACK=4
 * bug: two-threads BUG_PUSH_WITHOUT_COMPARE
 * bug: two-threads BUG_PUSH_STALE_LINK
 * bug: two-threads BUG_RECEIVE_WITHOUT_EXCHANGE
 * bug: two-threads BUG_RECEIVE_FORGETS_REST
 * bug: two-threads BUG_NOTHING_SENT_AT_EXIT
 * bug: two-threads BUG_BATCH_SENT_AGAIN
 */
#define ROOM 1
#define NONE 255

mtype = { LIVE, REMOTE, FREE };

mtype state[CHUNKS] = FREE;
byte inbox = NONE;

/* The contents of a chunk that is a parcel. */
byte next[CHUNKS] = NONE;
byte count[CHUNKS];
byte address[CHUNKS] = NONE;

/* How the program passes chunks from thread to thread. NONE: no more will come. */
chan given[THREADS] = [1] of { byte };
byte ended;

inline collect(chunk)
{
    if
    :: newest != NONE && filled < ROOM ->
        address[newest] = chunk;
        filled++;
    :: else ->
        if
        :: newest == NONE -> oldest = chunk
        :: else -> count[newest] = filled
        fi;
        next[chunk] = newest;
        newest = chunk;
        filled = 0;
    fi;
    chunks++;
}

inline send()
{
    if
    :: newest != NONE ->
        count[newest] = filled;
        seen = inbox;
        do
        :: true ->
            next[oldest] = seen;
#ifdef BUG_PUSH_WITHOUT_COMPARE
            inbox = newest;
            break
#else
            if
            :: atomic { inbox == seen -> inbox = newest }
                break
#ifdef BUG_PUSH_STALE_LINK
            :: atomic { inbox != seen -> inbox = newest }
                break
#else
            :: atomic { inbox != seen -> seen = inbox }
#endif
            fi
#endif
        od;
        skip;
#ifdef BUG_BATCH_SENT_AGAIN
        chunks = 0
#else
        d_step { newest = NONE; oldest = NONE; filled = 0; chunks = 0; seen = NONE }
#endif
    :: else
    fi
}

proctype thread(byte self)
{
    byte newest = NONE, oldest = NONE, filled, chunks, seen = NONE, chunk;

    do
    :: given[self]?chunk ->
        if
        :: chunk == NONE -> break
        :: else ->
            d_step {
                assert(state[chunk] == LIVE);
                state[chunk] = REMOTE;
                collect(chunk)
            }
            if
            :: chunks >= BATCH -> send()
            :: else
            fi
        fi
    od;
#ifndef BUG_NOTHING_SENT_AT_EXIT
    send();
#endif
    ended++
}

inline take_home(chunk)
{
    assert(state[chunk] == REMOTE);
    state[chunk] = FREE;
    stacked++
}

inline receive(most)
{
    left = most;
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
    :: unpacking != NONE && left > 0 ->
        d_step {
            parcel = unpacking;
            unpacking = next[parcel];
            if
            :: count[parcel] > 0 -> take_home(address[parcel])
            :: else
            fi;
            take_home(parcel);
            left--
        }
    :: else -> break
    od
}

proctype owner()
{
    byte unpacking = NONE, stacked = CHUNKS, handed, left, parcel, chunk;

    do
    :: handed < HAND_OUTS ->
        handed++;
        if
        :: stacked == 0 -> receive(UNPACK)
        :: else
        fi;
        if
        :: stacked > 0 ->
            d_step {
                /* Any free chunk will do: take the lowest. */
                chunk = 0;
                do
                :: state[chunk] != FREE -> chunk++
                :: else -> break
                od;
                state[chunk] = LIVE;
                stacked--
            }
            if
            :: given[0]!chunk
            :: given[1]!chunk
#if THREADS > 2
            :: given[2]!chunk
#endif
            fi
        :: else /* the real owner takes fresh memory */
        fi
    :: else -> break
    od;
    for (chunk : 0 .. THREADS - 1) {
        given[chunk]!NONE
    }
    ended == THREADS;
    do
    :: unpacking != NONE || inbox != NONE -> receive(CHUNKS)
    :: else -> break
    od;
    assert(stacked == CHUNKS);
    for (chunk : 0 .. CHUNKS - 1) {
        assert(state[chunk] == FREE)
    }
}

init
{
    byte self;

    atomic {
        run owner();
        for (self : 0 .. THREADS - 1) {
            run thread(self)
        }
    }
}
