/*
 * ft_malloc: what the library offers beyond the malloc family of <stdlib.h> and <malloc.h>.
 *
 * A program that is only sometimes run with the library declares what it uses weak and tests it:
 *     extern void show_alloc_mem(void) __attribute__((weak));
 *     if (show_alloc_mem) show_alloc_mem();
 */
#ifndef FT_MALLOC_H
#define FT_MALLOC_H

/*
 * The version of this header: numbers for #if, and the string "MAJOR.MINOR.PATCH". The build takes
 * the version of the library from these three numbers. A new major version may break programs that
 * were linked with an older one, a new minor version only adds to it.
 */
#define FT_MALLOC_VERSION_MAJOR 1
#define FT_MALLOC_VERSION_MINOR 1
#define FT_MALLOC_VERSION_PATCH 0
#define FT_MALLOC_QUOTE_(major, minor, patch) #major "." #minor "." #patch
#define FT_MALLOC_JOIN_(major, minor, patch) FT_MALLOC_QUOTE_(major, minor, patch)
#define FT_MALLOC_VERSION                                                                          \
    FT_MALLOC_JOIN_(FT_MALLOC_VERSION_MAJOR, FT_MALLOC_VERSION_MINOR, FT_MALLOC_VERSION_PATCH)

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Returns the version of the library that serves the process, as "MAJOR.MINOR.PATCH". It may differ
 * from FT_MALLOC_VERSION, which is that of the header the caller was compiled with. The string is a
 * constant: never free it. Any thread may call this at any time, also from a signal handler.
 */
const char *ft_malloc_version(void) __attribute__((visibility("default")));

/*
 * Writes every live allocation of the process to standard output (file descriptor 1, not through
 * stdio: call fflush(stdout) first if the order matters), sorted by address, sizes in bytes as they
 * were requested:
 *
 *     TINY : 0x7F1200000000                                a heap, by its start; LARGE: a mapping
 *     0x7F1200050000 - 0x7F120005002A : 42 bytes           start - end of what was requested
 *     Total : 42 bytes
 *
 * May be called by any thread at any time, except from a signal handler that may have interrupted
 * malloc. Other threads go on allocating: what is live during the whole call is shown, what is free
 * during the whole call is not. It is no cancellation point. Allocates nothing from the heaps that
 * it shows. Errors of write() are ignored; if there is no memory for the list, what fits is shown,
 * and a line on standard error says so.
 */
void show_alloc_mem(void) __attribute__((visibility("default")));

/*
 * Writes the same listing to a file descriptor. Returns 0, or -1 with errno set to what write() set
 * it to, or to ENOMEM if there was no memory for the whole list.
 */
int ft_malloc_show(int fd) __attribute__((visibility("default")));

/* Flags of show_alloc_mem_ex(), to be combined by |. */
enum {
    FT_MALLOC_SHOW_BYTES = 1 /* the bytes of each chunk, as many as were requested */
};

/*
 * Writes the same listing to standard output, with more behind each chunk, and with the history at
 * the end:
 *
 *     0x7F1200050000 - 0x7F120005002A : 42 bytes
 *         1.250 seconds old, thread 4711                   if a mode knows who allocated it
 *         #0 0x55d0c3a011f7                                the callers, innermost first
 *         0x7F1200050000 : 48 65 6C 6C 6F ... : Hello      with FT_MALLOC_SHOW_BYTES
 *     Total : 42 bytes
 *     History : 1 calls                                    from the oldest to the newest
 *     1 : 1.250 seconds ago, thread 4711 : malloc(42) = 0x7F1200050000
 *         #0 0x55d0c3a011f7
 *
 * Who allocated a chunk is known with FT_MALLOC_HISTORY, if the call is among the last ones of its
 * thread; of guarded chunks (FT_MALLOC_GUARD); and of those that FT_MALLOC_PROFILE or
 * FT_MALLOC_RECORD has noted. Threads are numbered as the kernel does. Addresses of callers are
 * return addresses; "..." behind them says that there are more.
 *
 * `flags` is 0 or a combination of the above. The rest is as show_alloc_mem() has it. Chunks that
 * other threads free meanwhile are not touched; their bytes are left out from there on. If there is
 * no memory for what the modes know, that is left out, and a line on standard error says so.
 */
void show_alloc_mem_ex(unsigned flags) __attribute__((visibility("default")));

/*
 * Writes the same to a file descriptor. Returns 0, or -1 with errno set as ft_malloc_show() does,
 * or to EINVAL for flags that the library does not know; nothing is written then.
 */
int ft_malloc_show_ex(int fd, unsigned flags) __attribute__((visibility("default")));

/* The zones: up to 960 bytes, up to 256 KiB, and larger. */
enum ft_malloc_zone { FT_MALLOC_TINY, FT_MALLOC_SMALL, FT_MALLOC_LARGE, FT_MALLOC_ZONES };

/*
 * Figures of the process. Later versions append members and never change those that are there.
 * Arrays have an element for each zone. Sizes are in bytes.
 */
struct ft_malloc_stats {
    size_t heaps[FT_MALLOC_ZONES];     /* LARGE: mappings, of which each chunk has one */
    size_t chunks[FT_MALLOC_ZONES];    /* live ones */
    size_t requested[FT_MALLOC_ZONES]; /* what the program asked for in live chunks */
    size_t usable[FT_MALLOC_ZONES];    /* what the live chunks take up */
    size_t slabs[FT_MALLOC_ZONES];     /* what is divided into chunks, live or not */
    size_t mapped[FT_MALLOC_ZONES];    /* address space of the heaps or mappings */
    size_t arenas;
    size_t cached;       /* in freed LARGE mappings that wait to be used again */
    size_t mmap_calls;   /* system calls of the library since the process started */
    size_t munmap_calls; /* likewise */
};

/*
 * Fills *stats and returns how many of its bytes the library knows. `size` is sizeof *stats. If the
 * library is older than the header, the members that it does not know are zero; if it is newer, it
 * fills only `size` bytes.
 *
 * The figures are those of mallinfo2() and malloc_stats(). All live chunks are looked at: this
 * takes about 10 milliseconds for 1 GiB of small ones. Any thread may call this at any time, except
 * from a signal handler that may have interrupted malloc. Other threads go on allocating; each
 * chunk that is live during the whole call is counted exactly once.
 */
size_t ft_malloc_stats(struct ft_malloc_stats *stats, size_t size)
    __attribute__((visibility("default")));

/* A chunk: an allocation, live or freed. Later versions append members. */
struct ft_malloc_chunk {
    void *pointer;            /* what malloc() returned */
    size_t requested;         /* bytes that the program asked for */
    size_t usable;            /* bytes that the chunk takes up; 0 if it has no memory */
    enum ft_malloc_zone zone; /* where it is; a grown chunk may be in a larger zone than its size */
};

/*
 * Calls `callback` for each live chunk, in the order of addresses, until it returns another value
 * than 0. Returns that value, or 0 after the last chunk. Returns -1 with errno set to ENOMEM, and
 * calls nothing, if there is no memory for the list.
 *
 * The chunks are those that show_alloc_mem() would write. They are listed first, into memory of
 * their own (16 bytes for each chunk), and no lock is held while `callback` runs. So it may
 * allocate and free, and it sees neither what it allocates nor what others allocate meanwhile. A
 * chunk of the list may have been freed since, by the callback or by another thread. *chunk is
 * valid until the callback returns. If the callback leaves by longjmp() or an exception, the list
 * is never unmapped.
 *
 * Any thread may call this at any time, except from a signal handler that may have interrupted
 * malloc.
 */
int ft_malloc_visit(int (*callback)(const struct ft_malloc_chunk *chunk, void *context),
                    void *context) __attribute__((visibility("default")));

enum ft_malloc_verdict {
    FT_MALLOC_NONE,     /* in no chunk that the library knows of */
    FT_MALLOC_LIVE,     /* a live chunk starts there */
    FT_MALLOC_INTERIOR, /* inside a live chunk */
    FT_MALLOC_FREED     /* a chunk that started there was freed; not handed out again yet */
};

/*
 * Says which chunk the address belongs to, for any value whatever; the memory there is not touched.
 * Fills `size` bytes of *chunk, sizeof *chunk, unless the verdict is FT_MALLOC_NONE; then they are
 * zero. `chunk` may be NULL if `size` is 0.
 *
 * An address inside of a LARGE chunk takes a look at all LARGE chunks. Of LARGE chunks that were
 * freed and unmapped only the last 128 are known. Any thread may call this at any time, except
 * from a signal handler that may have interrupted malloc. The answer may be out of date as soon as
 * another thread frees the chunk.
 */
enum ft_malloc_verdict ft_malloc_find(const void *pointer, struct ft_malloc_chunk *chunk,
                                      size_t size) __attribute__((visibility("default")));

/* The bounds of an allocation, as ft_malloc_bounds() returns them: two registers. */
struct ft_malloc_extent {
    void *start; /* NULL if the address is in no chunk that the library knows of */
    size_t size; /* bytes that the program requested; 0 if the chunk was freed */
};

/*
 * Returns the bounds of the chunk around the address, for checks that are made with each copy. It
 * takes a few nanoseconds, waits for no lock, allocates nothing, and touches no memory of the
 * program. The address may be anything: that of a variable on the stack is in no chunk.
 *
 * An address behind the requested bytes, and before the end of the chunk, is in the chunk; so the
 * caller compares with start + size. The caller owns the chunk or is about to access it. If another
 * thread frees it meanwhile, the answer is that of some moment. What ft_malloc_find() knows of
 * LARGE chunks that were unmapped, this function does not know, and it may not know a LARGE chunk
 * if there are more than 2,048 of them. Any thread may call this at any time, also from a signal
 * handler.
 */
struct ft_malloc_extent ft_malloc_bounds(const void *pointer)
    __attribute__((visibility("default")));

/* What a report says is wrong. Later versions append kinds. */
enum ft_malloc_error_kind {
    FT_MALLOC_INVALID_POINTER, /* no chunk starts there */
    FT_MALLOC_DOUBLE_FREE,     /* the chunk has been freed */
    FT_MALLOC_WRONG_SIZE,      /* a sized free or delete gave another size than was requested */
    FT_MALLOC_WRONG_ALIGNMENT, /* or an alignment that the chunk does not have */
    /*
     * Written past the end of a live chunk, or in front of it. Only if the process is hardened, or
     * the chunk is a guarded one, or with libft_malloc_debug.so.
     */
    FT_MALLOC_OVERFLOW,
    FT_MALLOC_CORRUPTION, /* written to free memory, or freed by two calls at once */
    /* Only with libft_malloc_debug.so: */
    FT_MALLOC_OVERREAD,      /* a read past the end of a live chunk */
    FT_MALLOC_USE_AFTER_FREE /* an access to a chunk that was freed, or to no chunk's memory */
};

/* A report. It and its strings are valid until the handler returns or leaves. */
struct ft_malloc_error {
    size_t size; /* bytes that the library filled; later versions append members */
    enum ft_malloc_error_kind kind;
    int may_allocate;     /* not 0: the handler may call the allocator, and leave by longjmp() */
    const char *function; /* as in the message, such as "free()"; NULL if it names none */
    void *pointer;        /* what the report is about, not always the start of a chunk */
    const char *message;  /* the line on standard error, without its newline */
};

typedef void (*ft_malloc_error_handler)(const struct ft_malloc_error *error);

/*
 * Sets the function that is called after each report was written to standard error, and before the
 * process ends, or before the call goes on (FT_MALLOC_ON_ERROR=report, and wrong sizes as
 * FT_MALLOC_ON_WRONG_SIZE says). NULL means none, as at the start. Returns the former handler.
 * There is one handler for the process. Any thread may call this at any time, and it cannot fail.
 *
 * The handler runs in the thread whose call is reported, perhaps in several threads at once, and
 * perhaps in a signal handler if that called the allocator. If it returns, the process ends or goes
 * on as it would without a handler.
 *
 * If `may_allocate` is not 0, the library holds no lock: the handler may allocate and free, and may
 * leave by longjmp(). The chunk is then as it was before the call. All reports of invalid pointers,
 * double frees, wrong sizes and wrong alignments are like this. If it is 0, the library may be in
 * the middle of a change: the handler must neither call the allocator, not even through other
 * functions, nor leave by longjmp(). It must not throw an exception in either case.
 *
 * What is reported of the same thread while the handler runs is written and ends the process or
 * not, but does not call the handler again. A handler that leaves by longjmp() calls this function
 * first, with itself, so that later reports of the thread call it again.
 */
ft_malloc_error_handler ft_malloc_on_error(ft_malloc_error_handler handler)
    __attribute__((visibility("default")));

/*
 * Verifies the records that the library keeps of its heaps, and returns the number of faults; 0
 * means that none was found. Each of the first 16 is reported by a line on standard error and to
 * the handler of ft_malloc_on_error(), as FT_MALLOC_CORRUPTION. The process goes on.
 *
 * A fault means that something wrote to the records: a state says that a chunk is live where none
 * can start, or its class or size is wrong, in any heap; or, in the heaps of the calling thread, a
 * count is wrong or a free chunk is marked as used. Contents of chunks are not looked at.
 *
 * Other threads go on, and cause no false alarm. Any thread may call this at any time, except from
 * a signal handler that may have interrupted malloc. It takes as long as ft_malloc_stats() or a few
 * times that, and allocates nothing.
 */
size_t ft_malloc_check(void) __attribute__((visibility("default")));

/* What ft_malloc_dump() writes beside the library's records. */
enum {
    FT_MALLOC_DUMP_CONTENTS = 1 /* the bytes of the live chunks, secrets among them */
};

/*
 * Writes a snapshot to a file descriptor: all records of heaps and chunks, and what the modes have
 * noted. ftm(1) reads it, also on another machine; docs/SNAPSHOT.md describes the format. `flags`
 * is 0 or FT_MALLOC_DUMP_CONTENTS. Returns 0, or -1 with errno set to what write() set it to, to
 * ENOMEM if there was no memory for a buffer of 336 KiB, or to EINVAL for unknown flags. After an
 * error, what was written is not a complete snapshot, and ftm refuses it.
 *
 * Nothing is allocated. The descriptor should be blocking: EAGAIN is an error. Other threads go on
 * allocating, and wait for no longer than a few microseconds, however slow the descriptor is: a
 * chunk that is live during the whole call is in the snapshot, one that is free during the whole
 * call is not. Any thread may call this at any time, except from a signal handler that may have
 * interrupted malloc. It is no cancellation point.
 */
int ft_malloc_dump(int fd, unsigned flags) __attribute__((visibility("default")));

/*
 * Sets an option while the process runs, as the environment variable of that name does at its
 * start. FT_MALLOC_ may be left out of the name, and capitals do not matter. docs/OPTIONS.md lists
 * the options and their values; "0" switches a mode off. The strings are not kept.
 *
 * Returns 0, or -1 with errno set to EINVAL if the name or the value is not known, to EPERM if the
 * option cannot be changed while the process runs (HARDEN, ARENA_MAX, BACKGROUND and DUMP), or to
 * ENOMEM if there is no memory for the mode; the mode is off then. In the other cases, everything
 * stays as it was. ft_malloc_get("error", ...) says why in words.
 *
 * A mode holds for all threads. A call of another thread that is in progress may still end without
 * being seen by the mode. Any thread may call this at any time, except from a signal handler that
 * may have interrupted malloc. If two threads set the same option at once, one of the values holds.
 */
int ft_malloc_set(const char *name, const char *value) __attribute__((visibility("default")));

/*
 * Stores the value of an option, as a string, in `buffer`, which has `size` bytes and is the
 * caller's: what the environment or ft_malloc_set() has set it to, or the default. Of a value that
 * is too long, it stores the beginning; with size 0 it stores nothing. The name "error" stands for
 * the reason why an option was not set the last time that happened in the process, and for an empty
 * string if it never did.
 *
 * Returns the length of the whole value without the 0 at its end, or -1 with errno set to EINVAL
 * if there is no such option. Any thread may call this at any time, except from a signal handler
 * that may have interrupted malloc.
 */
int ft_malloc_get(const char *name, char *buffer, size_t size)
    __attribute__((visibility("default")));

/*
 * Writes the figures of ft_malloc_stats() and of FT_MALLOC_STATS as one line to a file descriptor:
 * an object of JSON, whose members docs/GUIDE.md describes. Calls are counted only while
 * FT_MALLOC_STATS is on, which ft_malloc_set() can switch on; before that they are 0. Returns 0, or
 * -1 with errno set to what write() set it to. It takes as long as ft_malloc_stats(), allocates
 * nothing, and may be called by any thread at any time, except from a signal handler that may have
 * interrupted malloc.
 */
int ft_malloc_stats_json(int fd) __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif

#endif
