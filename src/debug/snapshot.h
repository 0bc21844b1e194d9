/*
 * The format of snapshots: docs/SNAPSHOT.md is its description. The library writes them
 * (debug/dump.h), ftm writes them from outside, and ftm reads both.
 *
 * A snapshot is a process's memory in pieces. It is a header and sections, each a header and its
 * payload, up to a section END. All numbers are in the byte order of the machine that wrote them.
 */
#ifndef FT_DEBUG_SNAPSHOT_H
#define FT_DEBUG_SNAPSHOT_H

#include <stdint.h>

#define SNAPSHOT_MAGIC "FTMSNAP\1"
enum { SNAPSHOT_MAGIC_SIZE = 8, SNAPSHOT_BYTE_ORDER = 0x01020304 };
/*
 * A reader that does not know how tables are written would show no profile, or a wrong one. So
 * snapshots with tables have another version: the second if these are bytes, the third if coded.
 */
enum { SNAPSHOT_VERSION = 1, SNAPSHOT_VERSION_TABLES = 2, SNAPSHOT_VERSION_CODED = 3 };

struct snapshot_header {
    char magic[SNAPSHOT_MAGIC_SIZE];
    uint32_t byte_order; /* SNAPSHOT_BYTE_ORDER as the writer stores it */
    uint16_t version;    /* a reader that does not know it refuses */
    uint16_t word_size;  /* of a pointer, in bytes */
    uint32_t size;       /* of this header, so that later versions may append members */
    uint32_t pid;        /* 0: not known */
    uint64_t time;       /* nanoseconds since the epoch; 0: not known */
    uint64_t layout;     /* address of ft_malloc_layout */
    uint32_t flags;      /* SNAPSHOT_CONTENTS ... */
    uint32_t page_size;
    uint64_t clock; /* clock_now() when it was written; 0: not known */
};

enum {
    SNAPSHOT_CONTENTS = 1, /* has the bytes of the live chunks, not only the allocator's records */
    SNAPSHOT_OUTSIDE = 2   /* written by another process */
};

/* Sections. A reader skips types that it does not know. */
enum snapshot_type {
    SNAPSHOT_END = 1,     /* payload: struct snapshot_end */
    SNAPSHOT_MEMORY = 2,  /* `length` bytes of memory at `address` */
    SNAPSHOT_ZEROS = 3,   /* no payload: the `length` bytes at `address` are 0 */
    SNAPSHOT_VOID = 4,    /* no payload: what an earlier section says of them is not true */
    SNAPSHOT_MAPS = 5,    /* text of /proc/PID/maps */
    SNAPSHOT_THREADS = 6, /* struct snapshot_thread, each with its registers */
    SNAPSHOT_SYMBOLS = 7, /* names for addresses: tools/ftm/symbols.h */
    SNAPSHOT_MODULES = 8, /* files that were mapped: tools/ftm/symbols.h */
    /* The command line, a 0 behind each argument; the address is the process's number. */
    SNAPSHOT_COMMAND = 9,
    SNAPSHOT_TABLE = 10 /* memory that is an array, in columns: struct snapshot_table */
};

/*
 * In front of each payload. The payload is padded with zeros to a multiple of 8; `length` excludes
 * the padding.
 */
struct snapshot_section {
    uint32_t type;
    uint32_t flags; /* 0 */
    uint64_t address;
    uint64_t length;
};

struct snapshot_thread {
    uint32_t tid;
    uint32_t registers; /* how many 64-bit registers follow, in the order of NT_PRSTATUS */
    char name[16];
    uint64_t sp, pc; /* 0: not known */
};

/*
 * The payload of a TABLE: this, the fields, the pieces, and for each field a column of numbers, one
 * for each item. The items fill the pieces in turn; what is left of these is 0, as is what no field
 * covers. A number has 7 bits in each byte, the lowest first, and bit 7 in all bytes but the last;
 * or, if `coding` is SNAPSHOT_CODED, all columns together are bits of a range coder.
 */
struct snapshot_table {
    uint32_t item_bytes, fields, pieces, coding;
    uint64_t items;
};
enum { SNAPSHOT_BYTES = 0, SNAPSHOT_CODED = 1 };

struct snapshot_field {
    uint16_t offset; /* in the item */
    uint8_t size;    /* 2, 4 or 8 bytes */
    uint8_t how;     /* enum snapshot_how */
    uint32_t base;   /* with FROM_BASE or CALLEE: the number of an earlier field */
};

struct snapshot_piece {
    uint64_t address, items;
};

/*
 * How a column tells its values. With FROM_BASE, it has differences from another field of the same
 * item; with FROM_LAST, of what it has for one item from what it has for the item before; the sign
 * of a difference is its lowest bit: 2 * d, or -2 * d - 1. With ANCESTOR, values are numbers of
 * earlier items: 2 * k stands for the one that is k steps from the item before, a step leading to
 * the item that the field names; 2 * n + 1 for n.
 *
 * Only in what is coded: numbers with GUESSED are often the same as others were. Values with CALLEE
 * are addresses, and the base is the number of the item whose address called this one.
 */
enum snapshot_how {
    SNAPSHOT_FROM_LAST = 1,
    SNAPSHOT_FROM_BASE = 2,
    SNAPSHOT_ANCESTOR = 4,
    SNAPSHOT_GUESSED = 8,
    SNAPSHOT_CALLEE = 16
};
enum { SNAPSHOT_STEPS = 255 }; /* at most */

struct snapshot_end {
    uint64_t sections; /* including END */
    uint64_t checksum;
};

/*
 * The checksum is over the words of the snapshot's header and of the headers of all sections,
 * END's included. It leaves out the payloads, because memory may change while it is written.
 */
static inline uint64_t snapshot_sum(uint64_t sum, uint64_t word)
{
    return (sum << 5 | sum >> 59) + word * UINT64_C(0x9e3779b97f4a7c15);
}

#endif
