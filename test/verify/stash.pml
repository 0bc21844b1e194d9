/*
 * The stash of freed LARGE chunks that each thread keeps without a lock (src/large/stash.c), beside
 * the registry, whose lock others hold when they free a chunk or collect stashed ones (large.c,
 * cache.c).
 *
 *   step here     in the code
 *   owner         large_stash_take(): take_slot() by an exchange, then `requested` is stored;
 *                 large_stash_free(): registry_mark_free() by compare-and-exchange, then
 *                 stash_put()
 *   second        large_free(): the same compare-and-exchange with the registry's lock, then
 *                 cache_put()
 *   collector     stash_collect(): an exchange with the registry's lock, then the mapping is
 *                 unmapped
 *
 * There is one chunk and one slot: two chunks meet only in slots that are in use, which the owner
 * skips. Thread 0 owns the stash. CALLS times, it takes the chunk from the stash, or else from the
 * cache with the lock, and frees it. A second thread collects. With DOUBLE_FREE a third thread
 * frees the same chunk, too, at some moment.
 *
 * Checked: the chunk is in one place only (held, in the slot, in the cache, unmapped, or in the
 * hand of one thread); of two frees of one life, one is refused; nobody gets a chunk that somebody
 * holds, or whose mapping is gone.
 *
 * run: churn -DCALLS=3
 * run: double-free -DCALLS=2 -DDOUBLE_FREE
 * bug: double-free BUG_LOOK_THEN_MARK
 * bug: churn BUG_TAKE_WITHOUT_EXCHANGE
 * bug: churn BUG_COLLECT_WITHOUT_EXCHANGE
 */
#define NOTHING 0
#define THERE 1

/* `requested`: whether the descriptor says that the chunk is live. */
bool requested;
byte slot = NOTHING;
bool cached, lock;
bool mapped = true;
byte holders, hands, frees, lives;
bool over;

inline in_one_place()
{
    assert(holders + hands + (slot == THERE) + cached + !mapped == 1)
}

/* Exchanges the contents of the slot with nothing. */
inline exchange_slot(found)
{
    atomic {
        found = slot == THERE;
        if
        :: found -> slot = NOTHING; hands++
        :: else
        fi;
        in_one_place()
    }
}

/* Of several threads that try, one succeeds. `won` is true if it is this one. */
inline mark_free(won)
{
#ifdef BUG_LOOK_THEN_MARK
    won = requested;
    requested = false;
#else
    atomic { won = requested; requested = false }
#endif
    if
    :: won -> atomic { frees++; assert(frees <= lives); holders--; hands++ }
    :: else
    fi
}

inline give_out()
{
    atomic {
        assert(mapped && holders == 0);
        hands--;
        holders++;
        lives++;
        requested = true;
        in_one_place()
    }
}

proctype owner()
{
    byte call;
    bool found, won;

    do
    :: call == CALLS -> break
    :: call < CALLS ->
        call++;
        found = false;
#ifdef BUG_TAKE_WITHOUT_EXCHANGE
        if
        :: slot == THERE -> found = true; atomic { hands++; slot = NOTHING }
        :: else
        fi;
#else
        exchange_slot(found);
#endif
        if
        :: !found ->
            /* From the cache, or a fresh mapping if the collector has unmapped it. */
            atomic { !lock -> lock = true }
            atomic {
                if
                :: cached -> cached = false; hands++; found = true
                :: !mapped -> mapped = true; hands++; found = true
                :: else
                fi;
                lock = false
            }
        :: else
        fi;
        if
        :: found ->
            give_out();
            mark_free(won);
            if
            :: won -> atomic { hands--; slot = THERE; in_one_place() }
            :: else
            fi
        :: else
        fi
    od;
    over = true
}

proctype collector()
{
    bool found;

    do
    :: over -> break
    :: !over ->
        atomic { !lock -> lock = true }
#ifdef BUG_COLLECT_WITHOUT_EXCHANGE
        found = slot == THERE;
        if
        :: found -> atomic { slot = NOTHING; hands++ }
        :: else
        fi;
#else
        exchange_slot(found);
#endif
        lock = false;
        if
        :: found -> atomic { hands--; assert(holders == 0); mapped = false; in_one_place() }
        :: else
        fi
    od
}

/*
 * A program that frees the same chunk in another thread, while its first holder has it or is
 * freeing it.
 */
proctype second()
{
    bool won;

    holders == 1 || over;
    atomic { !lock -> lock = true }
    mark_free(won);
    if
    :: won -> atomic { hands--; cached = true; in_one_place() }
    :: else
    fi;
    lock = false
}

init {
    atomic {
        cached = true;
        in_one_place();
        run owner();
        run collector();
#ifdef DOUBLE_FREE
        run second()
#endif
    }
}
