/*
 * The table of heaps of other arenas that a thread remembers, against heaps that are unmapped and
 * whatever is mapped in their place (remote_free_known() and remote_free_aligned() in
 * src/arena/remote.[ch], heap_map_removals in src/bins/heap_map.h).
 *
 * At a place in the address space there is a heap of arena A or of arena B, a LARGE chunk, or
 * nothing. A LARGE chunk may also be behind the heap's units, in the same part of the table.
 *
 *   step here    in the code
 *   place        the owners, one for each place: heap_create(), a chunk is handed out, comes back
 *                in a parcel, and the heap is unmapped: hide_from_walkers() counts the removal,
 *                then unmap_hidden(). Then something else is mapped there
 *   thread       gets a chunk and frees it: looks at the count, at the entry, reads the heap's
 *                header, collects. If the entry is no use, it looks at the heap map instead, and
 *                remembers what it found
 *   behind       a LARGE chunk behind the units is freed, whatever happens to the heap
 *
 * Checked: nobody reads the header of a heap that is not mapped; a chunk is sent to the arena whose
 * heap it is in; a LARGE chunk is sent to none; every thread ends.
 *
 * Bounds: two places, each with LIVES lives of any kind; one thread that frees; BEHIND chunks
 * behind the units of place 0.
 *
 * run: reuse -DLIVES=3 -DBEHIND=0
 * run: behind -DLIVES=2 -DBEHIND=2
 * bug: reuse BUG_REMOVALS_NOT_READ
 * bug: reuse BUG_REMOVAL_COUNTED_LATE
 * bug: reuse BUG_READ_AFTER_COLLECTING
 * bug: reuse BUG_OTHERS_NOT_FORGOTTEN
 * bug: behind BUG_END_NOT_READ
 */
#define PLACES 2
#define NOTHING 0
#define ARENA_A 1
#define ARENA_B 2
#define LARGE 3

/* What is mapped at each place, and what the heap map says. */
byte there[PLACES];
byte tag[PLACES];
byte removals;

/* The table, all of which is true of the value `since` of the count. */
byte known[PLACES];
byte since;

/* Chunks on their way to the thread, and on their way back. */
chan given = [1] of { byte, bool }; /* the place, and whether the chunk is behind the units */
chan returned[PLACES] = [1] of { byte };
byte ended;

proctype place(byte self)
{
    byte lives, back;

    do
    :: lives < LIVES ->
        lives++;
        if
        :: there[self] = ARENA_A
        :: there[self] = ARENA_B
        :: there[self] = LARGE
        fi;
        if
        :: there[self] != LARGE -> tag[self] = there[self]
        :: else
        fi;
        given!self, false;
        returned[self]?back;
        assert(back == there[self]);
        if
        :: back == LARGE -> there[self] = NOTHING
        :: else ->
            tag[self] = NOTHING;
#ifdef BUG_REMOVAL_COUNTED_LATE
            there[self] = NOTHING;
            if
            :: lives < LIVES ->
                there[self] = LARGE;
                given!self, false;
                returned[self]?back;
                assert(back == LARGE);
                there[self] = NOTHING
            :: else
            fi;
            removals++
#else
            removals++;
            there[self] = NOTHING
#endif
        fi
    :: else -> break
    od;
    ended++
}

proctype behind()
{
    byte chunks;

    do
    :: chunks < BEHIND ->
        chunks++;
        given!0, true
    :: else -> break
    od;
    ended++
}

inline read_header(at)
{
    assert(there[at] == ARENA_A || there[at] == ARENA_B)
}

inline forget()
{
    d_step { known[0] = NOTHING; known[1] = NOTHING }
}

proctype thread()
{
    byte at, seen, owner;
    bool is_behind, freed;

    do
    :: given?at, is_behind ->
        freed = false;
        if
#ifdef BUG_REMOVALS_NOT_READ
        :: known[at] != NOTHING ->
#elif defined(BUG_END_NOT_READ)
        :: removals == since && known[at] != NOTHING ->
#else
        :: removals == since && known[at] != NOTHING && !is_behind ->
#endif
            read_header(at);
            if
            :: !is_behind ->
                returned[at]!known[at];
                freed = true
            :: else /* the state there is not that of a live chunk */
            fi
        :: else
        fi;
        if
        :: freed || is_behind -> skip
        :: else ->
            seen = removals;
            owner = tag[at];
            if
            :: owner == NOTHING -> returned[at]!LARGE
            :: else ->
                read_header(at);
                /* From now on the owner may get the chunk back. */
                returned[at]!owner;
#ifdef BUG_READ_AFTER_COLLECTING
                seen = removals;
#endif
#ifndef BUG_OTHERS_NOT_FORGOTTEN
                if
                :: since != seen -> forget()
                :: else
                fi;
#endif
                d_step { since = seen; known[at] = owner }
            fi
        fi
    :: ended == PLACES + 1 && empty(given) -> break
    od
}

init
{
    atomic {
        run place(0);
        run place(1);
        run behind();
        run thread()
    }
    timeout;
    assert(_nr_pr == 1)
}
