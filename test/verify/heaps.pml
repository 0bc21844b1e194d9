/*
 * Heaps that are unmapped while other threads look at them. The owner unmaps a heap that is wholly
 * free and maps another one in its place. Meanwhile somebody else holds memory in the address range
 * behind the heap's units.
 *
 *   step here        in the code
 *   create           heap_create()
 *   destroy          hide_from_walkers(), unmap_hidden() in bins/heap_return.c
 *   walker           heap_walk(): pins the heap under the structure lock, then reads its header
 *                    without the lock
 *   neighbour        malloc_usable_size(), realloc(), free() of a live LARGE chunk on the last page
 *                    of the heap's range: heap_map_tag(), and then the header, if it has the tag
 *   holder           the same of a live chunk among the heap's units, until the owner frees it
 *   stale            a report about a wrong pointer among the units: lookup_any()
 *   child            a fork by another thread: the walker does not exist in the child
 *
 * Checked: nobody reads a header that is not mapped, and the heap that is left at the end can be
 * unmapped.
 *
 * The map's entry is one word, read by one load that returns both the tag and the end of the units.
 * So a look at it is one step here.
 *
 * Bounds: one place, in which three heaps exist one after the other; one walker, one neighbour that
 * looks twice, one holder, one report.
 *
 * run: heaps
 * run: fork -DFORK
 * bug: heaps BUG_TAG_COVERS_ALL
 * bug: heaps BUG_PINS_IGNORED
 * bug: heaps BUG_PIN_WITHOUT_LOCK
 * bug: heaps BUG_CLEARED_AFTER_UNMAP
 * bug: heaps BUG_REPORT_WITHOUT_LOCK
 * bug: fork BUG_PINS_OUTLIVE_FORK
 */
#define LIVES 3
#define LOOKS 2

bool mapped, listed, tagged;
bool chunk_live;
byte pins, forks, pins_forks;
byte readers;
bool writer, ended;

/* Whether a walker is in the heap, as far as this process knows. */
#ifdef BUG_PINS_OUTLIVE_FORK
#define PINNED (pins > 0)
#else
#define PINNED (pins > 0 && pins_forks == forks)
#endif

inline write() { atomic { !writer && readers == 0 -> writer = true } }
inline read() { atomic { !writer -> readers++ } }
inline done_writing() { writer = false }
inline done_reading() { readers-- }

inline read_header() { assert(mapped) }

inline create()
{
    d_step {
        mapped = true;
        pins = 0
    }
    write();
    tagged = true;
    listed = true;
    done_writing()
}

/* The holder may use the chunk until it is freed. In this model only the owner frees. */
inline use_a_chunk()
{
    chunk_live = true;
    atomic { holder_looks == 0 -> chunk_live = false }
}

inline destroy()
{
    write();
    if
#ifndef BUG_PINS_IGNORED
    :: PINNED -> done_writing()
    :: else ->
#else
    :: true ->
#endif
        listed = false;
#ifdef BUG_CLEARED_AFTER_UNMAP
        done_writing();
        mapped = false;
        tagged = false
#else
        tagged = false;
        done_writing();
        if
        :: mapped = false
        :: true -> /* the kernel refuses */
            write();
            tagged = true;
            listed = true;
            done_writing()
        fi
#endif
    fi
}

byte holder_looks;

proctype owner()
{
    byte lives;

    do
    :: lives < LIVES ->
        if
        :: !mapped -> create()
        :: else
        fi;
        use_a_chunk();
        destroy();
        lives++
    :: else -> break
    od;
    ended = true
}

proctype walker()
{
    bool inside;

#ifndef BUG_PIN_WITHOUT_LOCK
    read();
#endif
    if
    :: listed ->
        d_step {
#ifdef BUG_PINS_OUTLIVE_FORK
            pins++;
#else
            pins = (pins_forks == forks -> pins + 1 : 1);
#endif
            pins_forks = forks
        }
        inside = true
    :: else
    fi;
#ifndef BUG_PIN_WITHOUT_LOCK
    done_reading();
#endif
    if
    :: inside ->
        read_header();
        read_header();
        read();
        d_step {
            if
            :: pins_forks == forks && pins > 0 -> pins--
            :: else
            fi
        }
        done_reading()
    :: else
    fi
}

proctype neighbour()
{
    byte looks;
    bool seen;

    do
    :: looks < LOOKS ->
#ifdef BUG_TAG_COVERS_ALL
        seen = tagged;
#else
        seen = false;
#endif
        if
        :: seen -> read_header()
        :: else
        fi;
        looks++
    :: else -> break
    od
}

proctype holder()
{
    do
    :: atomic { chunk_live -> holder_looks++ }
        if
        :: tagged -> read_header()
        :: else -> assert(false)
        fi;
        holder_looks--;
        break
    :: ended -> break
    od
}

proctype stale()
{
#ifndef BUG_REPORT_WITHOUT_LOCK
    read();
#endif
    if
    :: tagged -> read_header()
    :: else
    fi;
#ifndef BUG_REPORT_WITHOUT_LOCK
    done_reading()
#endif
}

#ifdef FORK
/* A walker of a thread that does not exist in the child has left its pin there. */
proctype child()
{
    d_step {
        mapped = true;
        listed = true;
        tagged = true;
        pins = 1;
        pins_forks = 0;
        forks = 1
    }
    destroy();
    assert(!listed || tagged);
    run walker();
    _nr_pr == 2;
    write();
    assert(!PINNED);
    done_writing()
}
#endif

init
{
#ifdef FORK
    run child()
#else
    atomic {
        run owner();
        run walker();
        run neighbour();
        run holder();
        run stale()
    }
    timeout;
    assert(_nr_pr == 1);
    assert(!writer && readers == 0 && !PINNED)
#endif
}
