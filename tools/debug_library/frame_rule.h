/*
 * How to get from a frame to its caller's, decoded from the unwind tables (DWARF call frame
 * information) and kept for later walks. Takes no lock if no code is registered by hand.
 */
#ifndef FT_DEBUG_LIBRARY_FRAME_RULE_H
#define FT_DEBUG_LIBRARY_FRAME_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum frame_kind {
    FRAME_HARD, /* a signal's frame, an expression, or no table: libgcc has to do it */
    FRAME_PLAIN,
    FRAME_LAST, /* there is no caller */
};

/* All offsets are in words. The canonical frame address is the caller's stack pointer. */
struct frame_rule {
    uint8_t kind;
    uint8_t by_pointer; /* whether the frame address is told from the frame pointer */
    uint16_t size;      /* from that register to the frame address */
    uint8_t back;       /* from the frame address down to the return address */
    uint8_t saved;      /* and to the caller's frame pointer; 0 if it is unchanged */
};

/* Decodes the rule for a call that returns to `pc`. */
struct frame_rule frame_rule_decode(uintptr_t pc);

/*
 * The modules that a walk was in last. A module that has a frame on the stack stays where it is, so
 * a walk looks each up once and not for each frame. All zero when the walk begins.
 */
struct frame_modules {
    struct {
        uintptr_t start, end;
        uint64_t mark;
    } of[2];
    unsigned next;
};

/* A rule in one word, which a walk has in a register. */
typedef uint64_t packed_rule;

static inline unsigned packed_kind(packed_rule rule)
{
    return rule & 3;
}

static inline bool packed_by_pointer(packed_rule rule)
{
    return (rule & 4) != 0;
}

static inline unsigned packed_saved(packed_rule rule)
{
    return rule >> 3 & 0xff;
}

static inline unsigned packed_back(packed_rule rule)
{
    return rule >> 11 & 0xff;
}

static inline unsigned packed_size(packed_rule rule)
{
    return rule >> 19 & 0xffff;
}

/* Both return what tells the module that `pc` returns to from all others, or 0 if there is none. */
uint64_t frame_module_find(uintptr_t pc, struct frame_modules *modules);

static inline uint64_t frame_module(uintptr_t pc, struct frame_modules *modules)
{
    for (unsigned i = 0; i < 2; i++)
        if (pc - 1 - modules->of[i].start < modules->of[i].end - modules->of[i].start)
            return modules->of[i].mark;
    return frame_module_find(pc, modules);
}

/* Returns the rule that is kept for `pc`, or decodes and keeps it. Any thread, any place. */
packed_rule frame_rule_of(uintptr_t pc, uint64_t module);

#endif
