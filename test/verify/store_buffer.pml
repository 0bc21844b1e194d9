/*
 * The one place that needs sequential consistency: a push to the inbox of an arena that a visitor
 * is finding empty at the same moment (src/arena/remote.c, visit.c). In this model, stores wait in
 * a buffer of their thread, in order, until they reach memory at any later moment; a thread sees
 * its own stores at once. x86-64 works like this, and a relaxed or release store may behave like
 * this on any processor.
 *
 *   step here     in the code
 *   pusher        push(): compare-and-exchange, then arena_stir()
 *   visitor       visit(): `restless` becomes false, remote_return(), remote_inbox_empty(),
 *                 arena_stir() if that says no. The lock, which keeps out other visitors, is left
 *                 out: nothing here must depend on what giving it back orders
 *   store, load   relaxed, release or acquire
 *   in_memory     waits until all stores of this thread have reached memory: a sequentially
 *                 consistent store does that, and so does an atomic read-modify-write on x86-64
 *
 * Checked: at the end the inbox is empty, or the arena is restless, so that there is another visit.
 *
 * Bounds: one visit; PUSHERS threads with one parcel each.
 *
 * run: as-it-is -DPUSHERS=1
 * run: two-pushers -DPUSHERS=2
 * bug: as-it-is BUG_CLEARED_RELAXED
 * bug: as-it-is BUG_PUSH_RELEASE
 * bug: two-pushers BUG_CLEARED_LAST
 */
#define INBOX 0
#define RESTLESS 1
#define VARIABLES 2
#define THREADS (PUSHERS + 1)

byte memory[VARIABLES];
chan buffered[THREADS] = [4] of { byte, byte };
/* For each thread and variable: how many stores are in the buffer, and the last value. */
byte pending[6], last[6];
byte unpacked;

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

inline stir()
{
    if
    :: !LOAD(RESTLESS) -> store(RESTLESS, 1)
    :: else
    fi
}

inline clear()
{
    store(RESTLESS, 0);
#ifndef BUG_CLEARED_RELAXED
    in_memory()
#endif
}

proctype pusher(byte self)
{
#ifdef BUG_PUSH_RELEASE
    store(INBOX, 1);
#else
    atomic { in_memory(); memory[INBOX] = memory[INBOX] + 1 }
#endif
    stir()
}

proctype visitor(byte self)
{
#ifndef BUG_CLEARED_LAST
    clear();
#endif
    if
    :: LOAD(INBOX) ->
        atomic {
            in_memory();
            unpacked = memory[INBOX];
            memory[INBOX] = 0
        }
    :: else
    fi;
#ifdef BUG_CLEARED_LAST
    clear()
#else
    if
    :: LOAD(INBOX) -> stir()
    :: else
    fi
#endif
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
    byte self;

    atomic {
        memory[RESTLESS] = 1;
        for (self : 0 .. PUSHERS) {
            run buffer(self)
        }
        for (self : 1 .. PUSHERS) {
            run pusher(self)
        }
        run visitor(0)
    }
    timeout;
    assert(_nr_pr == THREADS + 1);
    assert(unpacked + memory[INBOX] == PUSHERS);
    assert(memory[INBOX] == 0 || memory[RESTLESS])
}
