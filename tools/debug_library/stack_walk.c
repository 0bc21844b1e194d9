/*
 * Walks by the tables of all modules. A frame's rule is decoded once and kept, which is several
 * times as quick as libgcc, which decodes each frame again. Where a rule is not enough, as for a
 * signal's frame, libgcc does the whole walk. Since glibc 2.35 both find the table of a module
 * without a lock, so they may run in a thread that loads a module, or while another one does.
 */
#include "stack_walk.h"
#include "frame_rule.h"

#include "os/os.h"

#include <unwind.h>

/* So many of the library's functions are between the hook and the caller, at most. */
enum { OWN_FRAMES = 16 };

struct walk {
    uintptr_t first; /* the address to store first: the library's own frames come before it */
    uintptr_t *pcs;
    unsigned most, depth;
};

static _Unwind_Reason_Code store(struct _Unwind_Context *context, void *argument)
{
    struct walk *walk = argument;
    uintptr_t pc = _Unwind_GetIP(context);

    /* Behind the first function of the thread libgcc comes with 0, and ends by itself. */
    if (pc == 0 || (walk->depth == 0 && pc != walk->first))
        return _URC_NO_REASON;
    if (walk->depth == walk->most)
        return _URC_NORMAL_STOP;
    walk->pcs[walk->depth++] = pc;
    return _URC_NO_REASON;
}

// NOLINTNEXTLINE(readability-non-const-parameter): the type of the hook; `store` writes there
unsigned stack_walk_tables(void *frame, uintptr_t *pcs, unsigned most, bool *complete)
{
    struct walk walk = {.first = ((const uintptr_t *)frame)[1], .pcs = pcs, .most = most};

    /* Only the end of the stack ends the walk like this. */
    *complete = _Unwind_Backtrace(store, &walk) == _URC_END_OF_STACK && walk.depth > 0;
    return walk.depth;
}

/*
 * Where a walk is: at a call that returns to `pc`, with the registers that its function has then.
 */
struct place {
    uintptr_t pc, stack, pointer;
};

__attribute__((no_sanitize("address"))) static uintptr_t word_below(uintptr_t address,
                                                                    unsigned words)
{
    return *((const uintptr_t *)pointer_to(address) - words);
}

/* Walks by kept rules. Returns whether that was possible to the end, or to the last that fits. */
__attribute__((no_sanitize("address"))) static bool walk_kept(struct walk *walk, struct place place,
                                                              bool *complete)
{
    struct frame_modules modules = {.next = 0};

    for (unsigned own = 0; own < OWN_FRAMES || walk->depth > 0;) {
        packed_rule rule;
        uintptr_t frame;

        if (walk->depth == walk->most)
            return true;
        if (walk->depth == 0 && place.pc != walk->first)
            own++;
        else
            walk->pcs[walk->depth++] = place.pc;
        rule = frame_rule_of(place.pc, &modules);
        if (packed_kind(rule) != FRAME_PLAIN) {
            *complete = packed_kind(rule) == FRAME_LAST;
            return *complete && walk->depth > 0;
        }
        frame = (packed_by_pointer(rule) ? place.pointer : place.stack) +
                sizeof(uintptr_t) * packed_size(rule);
        if (frame <= place.stack || frame % sizeof(uintptr_t) != 0)
            return false;
        place.pc = word_below(frame, packed_back(rule));
        if (packed_saved(rule) != 0)
            place.pointer = word_below(frame, packed_saved(rule));
        place.stack = frame;
        if (place.pc == 0) {
            *complete = true;
            return walk->depth > 0;
        }
    }
    return false;
}

__attribute__((noinline)) unsigned stack_walk(void *frame, uintptr_t *pcs, unsigned most,
                                              bool *complete)
{
    struct walk walk = {.first = ((const uintptr_t *)frame)[1], .pcs = pcs, .most = most};
    const struct place here = {.pc = (uintptr_t)__builtin_return_address(0),
                               .stack = (uintptr_t)__builtin_dwarf_cfa(),
                               .pointer = *(const uintptr_t *)__builtin_frame_address(0)};

    *complete = false;
    if (walk_kept(&walk, here, complete))
        return walk.depth;
    return stack_walk_tables(frame, pcs, most, complete);
}

void stack_walk_begin(void)
{
    uintptr_t pc;
    struct walk walk = {.pcs = &pc, .most = 1};

    /* The first walk of a process may have to load something. */
    (void)_Unwind_Backtrace(store, &walk);
}
