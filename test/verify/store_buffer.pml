/*
 * The one place that needs sequential consistency: a push to an arena that enters the pool at the
 * same moment (src/arena/remote.c, pool.c). In this model, stores wait in a buffer of their thread,
 * in order, until they reach memory at any later moment; a thread sees its own stores at once.
 * x86-64 works like this, and a release store may behave like this on any processor.
 *
 *   step here     in the code
 *   pusher        push(): compare-and-exchange, then remote_drain_pooled()
 *   putter        pool_put(): ARENA_POOLED, remote_receive_all(), arena_unlock(),
 *                 remote_drain_pooled()
 *   store, load   relaxed, release or acquire
 *   in_memory     waits until all stores of this thread have reached memory: a sequentially
 *                 consistent store does that, and so does an atomic read-modify-write on x86-64,
 *                 such as the one in pthread_mutex_unlock()
 *
 * Checked: at the end the parcel is unpacked. There is one parcel, and one thread of each kind.
 *
 * run: as-it-is
 * run: pooled-said-with-release -DSAY_RELEASE
 * run: unlock-with-release-and-a-fence -DUNLOCK_RELEASE -DFENCE
 * bug: as-it-is BUG_PUSH_RELEASE
 * bug: as-it-is BUG_UNLOCK_RELEASE
 * bug: pooled-said-with-release BUG_UNLOCK_RELEASE
 */
#define INBOX 0
#define POOLED 1
#define LOCK 2
#define VARIABLES 3

#ifdef BUG_UNLOCK_RELEASE
#define UNLOCK_RELEASE
#endif

byte memory[VARIABLES];
chan buffered[2] = [4] of { byte, byte };
/* For each thread and variable: how many stores are in the buffer, and the last value. */
byte pending[6], last[6];
bool unpacked;

#define OWN(variable) (self * VARIABLES + variable)
#define LOAD(variable) (pending[OWN(variable)] > 0 -> last[OWN(variable)] : memory[variable])

inline store(variable, value)
{
    atomic {
        buffered[self]!variable, value;
        pending[OWN(variable)]++;
        last[OWN(variable)] = value
    }
}

inline in_memory()
{
    empty(buffered[self])
}

inline unlock()
{
#ifdef UNLOCK_RELEASE
    store(LOCK, 0);
#ifdef FENCE
    in_memory()
#endif
#else
    atomic { in_memory(); memory[LOCK] = 0 }
#endif
}

inline unpack()
{
    if
    :: LOAD(INBOX) ->
        atomic {
            in_memory();
            assert(memory[INBOX] && !unpacked);
            memory[INBOX] = 0;
            unpacked = true
        }
    :: else
    fi
}

inline drain()
{
    do
    :: !LOAD(POOLED) -> break
    :: else ->
        if
        :: !LOAD(INBOX) -> break
        :: else
        fi;
        if
        :: atomic { empty(buffered[self]) && !memory[LOCK] -> memory[LOCK] = 1 }
        :: atomic { empty(buffered[self]) && memory[LOCK] -> break }
        fi;
        unpack();
        unlock()
    od
}

proctype pusher(byte self)
{
#ifdef BUG_PUSH_RELEASE
    store(INBOX, 1);
#else
    atomic { in_memory(); memory[INBOX] = 1 }
#endif
    drain()
}

proctype putter(byte self)
{
    atomic { !memory[LOCK] -> memory[LOCK] = 1 }
    store(POOLED, 1);
#ifndef SAY_RELEASE
    in_memory();
#endif
    unpack();
    unlock();
    drain()
}

/* The hardware: it writes a thread's oldest store to memory. */
proctype buffer(byte self)
{
    byte variable, value;

end:
    do
    :: atomic {
           buffered[self]?variable, value ->
           memory[variable] = value;
           pending[OWN(variable)]--
       }
    od
}

init
{
    atomic {
        run buffer(0);
        run buffer(1);
        run pusher(0);
        run putter(1)
    }
    timeout;
    assert(_nr_pr == 3);
    assert(unpacked && !memory[INBOX] && !memory[LOCK] && memory[POOLED])
}
