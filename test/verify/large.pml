/*
 * LARGE chunks: a freed mapping waits in the cache, is taken by another thread, or is unmapped
 * without the lock (src/large/large.c, cache.c, registry.c, give_back.c).
 *
 *   step here     in the code
 *   allocate      large_alloc(): cache_take(); else cache_take_short() and lengthen; else
 *                 large_make_way(), map_or_trim(), large_enter()
 *   lengthen      large_lengthen(): the headroom is committed without the lock; then the chunk is
 *                 live, or, if the kernel refuses, in the cache again
 *   release       large_free(): mark_free_at(), cache_put(), cache_evict(); large_unmap_list()
 *   evict         cache_evict(): any of the cached mappings may be due, at any time
 *   unmap_list    large_unmap_list(): removed from the hash, unmapped without the lock, then its
 *                 descriptor is dropped, or returns to the cache
 *   trim          large_trim()
 *   after_fork    large_after_fork(): in a signal handler of thread 0, at any moment
 *
 * What happens between registry_lock() and registry_unlock() is one step: nobody else can see it
 * half done. (BUG_CHECK_THEN_MARK and BUG_REMOVED_AFTER_UNMAPPING are exceptions.) A descriptor is
 * unused, hashed (live, cached, or evicted), or taken out by the thread that unmaps it. An address
 * is a place where the kernel may put a mapping, at once after it was unmapped.
 *
 * Checked:
 *   - Whoever gets a chunk is its only holder, and its mapping exists as long as it is held.
 *   - No address is in the hash twice, and a descriptor is in one place.
 *   - Of two frees of one chunk, one is refused.
 *   - At the end, a trim leaves no mapping and no descriptor in use.
 *   - There is no deadlock.
 *
 * Bounds: THREADS threads with CALLS calls each, of allocate-use-free or trim; PLACES addresses;
 * DESCRIPTORS descriptors. The kernel may refuse to map at any time, and refuses to unmap at most
 * REFUSALS times. With DOUBLE_FREE two threads free the same chunk while a third trims. With FORK
 * thread 0 forks once; the other threads are gone then, and what they had in hand may be lost.
 *
 * run: churn -DTHREADS=2 -DCALLS=2 -DPLACES=2 -DDESCRIPTORS=2 -DREFUSALS=1
 * run: three-threads -DTHREADS=3 -DCALLS=1 -DPLACES=2 -DDESCRIPTORS=2 -DREFUSALS=0
 * run: double-free -DTHREADS=3 -DCALLS=1 -DPLACES=1 -DDESCRIPTORS=1 -DREFUSALS=1 -DDOUBLE_FREE
 * run: fork -DTHREADS=2 -DCALLS=2 -DPLACES=2 -DDESCRIPTORS=2 -DREFUSALS=0 -DFORK
 * bug: churn BUG_EVICTED_STAYS_CACHED
 * bug: churn BUG_REMOVED_AFTER_UNMAPPING
 * bug: churn BUG_REFUSED_IS_DROPPED
 * bug: churn BUG_NO_DESCRIPTOR_NO_UNMAP
 * bug: churn BUG_TAKE_WITHOUT_LOCK
 * bug: churn BUG_LENGTHENED_STAYS_CACHED
 * bug: churn BUG_REFUSED_IS_USED
 * bug: double-free BUG_CHECK_THEN_MARK
 * bug: fork BUG_REBUILD_TAKES_EVICTED
 * bug: fork BUG_LENGTHENED_WITHOUT_TAKER
 */
#define NONE 255
#define NOBODY 255

mtype = { UNUSED, LIVE, CACHED, EVICTED, OUT };

/* The registry. OUT: removed from the hash by the thread that is about to unmap the mapping. */
mtype kind[DESCRIPTORS] = UNUSED;
byte address[DESCRIPTORS] = NONE;
byte taker[DESCRIPTORS] = NOBODY;
bool lock;
byte changing = NOBODY;

/* The kernel, and the program. */
bool mapped[PLACES];
byte holder[PLACES] = NOBODY;
byte refusals, freed, refused;
bool forked;

#ifdef FORK
#define GONE_AFTER_FORK unless { forked && self != 0 }
#else
#define GONE_AFTER_FORK
#endif

inline registry_lock()
{
    atomic { !lock -> lock = true; changing = self }
}

inline registry_unlock()
{
    lock = false;
    changing = NOBODY
}

/* Finds the lowest descriptor of a kind, at a place or anywhere; NONE if there is none. */
inline find(what, place)
{
    d = 0;
    do
    :: d == DESCRIPTORS -> d = NONE; break
    :: d < DESCRIPTORS && kind[d] == what && (place == NONE || address[d] == place) -> break
    :: else -> d++
    od
}

inline hash_has(place)
{
    d = 0;
    do
    :: d == DESCRIPTORS -> break
    :: d < DESCRIPTORS && address[d] == place && kind[d] != UNUSED && kind[d] != OUT -> break
    :: else -> d++
    od
}

inline insert(descriptor, place, what)
{
    hash_has(place);
    assert(d == DESCRIPTORS);
    address[descriptor] = place;
    kind[descriptor] = what;
    taker[descriptor] = NOBODY
}

inline evict(all)
{
    d = 0;
    do
    :: d < DESCRIPTORS && kind[d] == CACHED ->
#ifndef BUG_EVICTED_STAYS_CACHED
        kind[d] = EVICTED;
#endif
        taker[d] = self;
        list = list | (1 << d);
        d++
    :: d < DESCRIPTORS && (kind[d] != CACHED || !all) -> d++
    :: d == DESCRIPTORS -> break
    od
}

inline unmap_list()
{
    do
    :: list != 0 ->
        d_step {
            out = 0;
            do
            :: (list >> out) & 1 -> break
            :: else -> out++
            od;
            list = list & ~(1 << out)
        }
        registry_lock();
        d_step {
            assert(kind[out] == EVICTED && taker[out] == self);
            at = address[out];
#ifndef BUG_REMOVED_AFTER_UNMAPPING
            kind[out] = OUT;
            address[out] = NONE
#endif
        }
        registry_unlock();
        if
        :: refusals < REFUSALS ->
            refusals++;
            registry_lock();
#ifdef BUG_REFUSED_IS_DROPPED
            kind[out] = UNUSED;
#else
            d_step { insert(out, at, CACHED) }
#endif
        :: true ->
            d_step {
                assert(mapped[at] && holder[at] == NOBODY);
                mapped[at] = false
            }
            registry_lock();
            d_step {
                assert(taker[out] == self);
                kind[out] = UNUSED;
                address[out] = NONE;
                taker[out] = NOBODY
            }
        fi;
        registry_unlock()
    :: else -> break
    od;
    skip;
    d_step { out = NONE; at = NONE }
}

inline trim()
{
    registry_lock();
    atomic { evict(true); d = NONE }
    registry_unlock();
    unmap_list()
}

/* The kernel chooses a place, or refuses. */
inline map()
{
    atomic {
        if
        :: !mapped[0] -> mapped[0] = true; place = 0
#if PLACES > 1
        :: !mapped[1] -> mapped[1] = true; place = 1
#endif
        :: true -> place = NONE
        fi
    }
}

inline enter()
{
    registry_lock();
    d_step {
        find(UNUSED, NONE);
        if
        :: d != NONE ->
            found = d;
            insert(found, place, LIVE);
            d = found;
            found = NONE
        :: else
        fi
    }
    registry_unlock();
    if
    :: d == NONE ->
#ifndef BUG_NO_DESCRIPTOR_NO_UNMAP
        mapped[place] = false;
#endif
        place = NONE
    :: else
    fi;
    d = NONE
}

/* Commits headroom behind the mapping that was taken, or the kernel refuses. */
inline lengthen()
{
    assert(mapped[place] && holder[place] == NOBODY);
    if
    :: true ->
        registry_lock();
        d_step {
            assert(kind[out] == EVICTED && taker[out] == self && address[out] == place);
            kind[out] = LIVE;
            taker[out] = NOBODY
        }
    :: true ->
        registry_lock();
        d_step {
            assert(kind[out] == EVICTED && taker[out] == self && address[out] == place);
            kind[out] = CACHED;
            taker[out] = NOBODY
        }
#ifndef BUG_REFUSED_IS_USED
        place = NONE
#endif
    fi;
    registry_unlock();
    out = NONE
}

/* A cached mapping fits, or is too short and has to be lengthened. */
inline allocate()
{
    registry_lock();
    atomic {
        find(CACHED, NONE);
        if
        :: d != NONE ->
            place = address[d];
#ifndef BUG_TAKE_WITHOUT_LOCK
            kind[d] = LIVE
#endif
        :: d != NONE ->
            place = address[d];
            out = d;
#ifndef BUG_LENGTHENED_STAYS_CACHED
            kind[d] = EVICTED;
#endif
#ifndef BUG_LENGTHENED_WITHOUT_TAKER
            taker[d] = self;
#endif
            d = NONE
        :: else
        fi
    }
    registry_unlock();
    if
    :: out != NONE -> lengthen()
    :: else
    fi;
#ifdef BUG_TAKE_WITHOUT_LOCK
    if
    :: d != NONE -> kind[d] = LIVE
    :: else
    fi;
#endif
    d = NONE;
    if
    :: place == NONE ->
        registry_lock();
        atomic { evict(false); d = NONE }
        registry_unlock();
        unmap_list();
        map();
        if
        :: place == NONE ->
            trim();
            map()
        :: else
        fi;
        if
        :: place != NONE -> enter()
        :: else
        fi
    :: else
    fi
}

/* large_free(), for an address that may be that of a live chunk. */
inline release(keep)
{
    registry_lock();
#ifdef BUG_CHECK_THEN_MARK
    d_step { find(LIVE, place); found = d; d = NONE }
    registry_unlock();
    registry_lock();
    d_step { d = found; found = NONE }
#else
    d_step { find(LIVE, place) }
#endif
    atomic {
        if
        :: d == NONE -> refused++
        :: else ->
            freed++;
            if
            :: keep ->
                kind[d] = CACHED;
                evict(false)
            :: else ->
                kind[d] = EVICTED;
                taker[d] = self;
                list = 1 << d
            fi
        fi;
        d = NONE
    }
    registry_unlock();
    unmap_list()
}

proctype thread(byte self)
{
    byte calls, place = NONE, d = NONE, found = NONE, list, out = NONE, at = NONE;

    {
        do
        :: calls < CALLS ->
            calls++;
#ifdef DOUBLE_FREE
            if
            :: self < 2 -> place = 0; release(true); place = NONE
            :: else -> trim()
            fi
#else
            if
            :: trim()
            :: true ->
                allocate();
                if
                :: place != NONE ->
                    d_step {
                        assert(mapped[place] && holder[place] == NOBODY);
                        holder[place] = self
                    }
                    d_step {
                        assert(mapped[place] && holder[place] == self);
                        holder[place] = NOBODY
                    }
                    if
                    :: release(true)
                    :: release(false)
                    fi;
                    place = NONE
                :: else
                fi
            fi
#endif
        :: else -> break
        od
    } GONE_AFTER_FORK
}

/*
 * Threads that are gone leave behind their lock, their evicted descriptors, and the descriptors
 * that they had removed from the hash.
 */
proctype handler()
{
    byte d;

    if
    :: d_step {
           forked = true;
           lock = false;
           if
           :: changing != NOBODY && changing != 0 ->
               changing = NOBODY;
               for (d : 0 .. DESCRIPTORS - 1) {
                   if
#ifndef BUG_REBUILD_TAKES_EVICTED
                   :: taker[d] == 0 /* the survivor's call will continue with it */
#endif
                   :: else ->
                       kind[d] = (kind[d] == EVICTED -> CACHED :
                                  (kind[d] == OUT -> UNUSED : kind[d]));
                       taker[d] = NOBODY
                   fi
               }
           :: else
           fi
       }
    :: true
    fi
}

init
{
    byte self, place = NONE, d = NONE, list, out = NONE, at = NONE;

    atomic {
#ifdef DOUBLE_FREE
        mapped[0] = true;
        kind[0] = LIVE;
        address[0] = 0;
#endif
        for (self : 0 .. THREADS - 1) {
            run thread(self)
        }
#ifdef FORK
        run handler()
#endif
    }
    timeout;
    assert(_nr_pr == 1 && !lock);
#ifdef DOUBLE_FREE
    assert(freed == 1 && refused == 1);
#else
    assert(refused == 0);
#endif
    refusals = REFUSALS;
    self = 0;
    trim();
    for (place : 0 .. PLACES - 1) {
        assert(forked || !mapped[place])
    }
    for (place : 0 .. DESCRIPTORS - 1) {
        assert(kind[place] == UNUSED || forked)
    }
}
