/*
 * Walks by the tables of all modules. A frame's rule is decoded once and kept, which is several
 * times as quick as libgcc, which decodes each frame again. Where a rule is not enough, as for a
 * signal's frame, libgcc does the whole walk. Since glibc 2.35 both find the table of a module
 * without a lock, so they may run in a thread that loads a module, or while another one does.
 */
#include "stack_walk.h"
#include "frame_rule.h"
#include "last_walk.h"

#include "os/os.h"

#include <unwind.h>

struct walk {
    uintptr_t first; /* the address to store first: the library's own frames come before it */
    uintptr_t *pcs;
    unsigned most, depth;
    bool complete; /* whether the last frame is the thread's first function */
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

__attribute__((no_sanitize("address"))) static uintptr_t word_at(const uintptr_t *address)
{
    return *address;
}

static const uintptr_t *word_below(uintptr_t address, unsigned words)
{
    return (const uintptr_t *)pointer_to(address) - words;
}

/* Stores how to go on from `frame->at`. Returns false if libgcc has to do it. */
static bool apply(struct walked *frame, packed_rule rule, uintptr_t *caller_stack)
{
    const struct place *at = &frame->at;
    uintptr_t end;

    frame->first = packed_kind(rule) == FRAME_LAST;
    frame->by_pointer = packed_by_pointer(rule) && !frame->first;
    frame->returns = frame->saved = NULL;
    if (packed_kind(rule) != FRAME_PLAIN)
        return frame->first;
    end =
        (packed_by_pointer(rule) ? at->pointer : at->stack) + sizeof(uintptr_t) * packed_size(rule);
    if (end <= at->stack || end % sizeof(uintptr_t) != 0)
        return false;
    frame->returns = word_below(end, packed_back(rule));
    frame->saved = packed_saved(rule) == 0 ? NULL : word_below(end, packed_saved(rule));
    *caller_stack = end;
    return true;
}

/* Goes to the caller. Sets frame->first if there is none. Returns false if libgcc has to do it. */
static bool step(struct walked *frame, struct place *place)
{
    if (!apply(frame, frame_rule_of(place->pc, frame->module), &place->stack))
        return false;
    if (frame->first)
        return true;
    place->pc = word_at(frame->returns);
    if (frame->saved != NULL)
        place->pointer = word_at(frame->saved);
    frame->first = place->pc == 0;
    return true;
}

/* The frame pointer behind the frame, which a walk came to from the one `from` with `pointer`. */
static uintptr_t pointer_behind(const struct walked *frame, const struct walked *from,
                                uintptr_t pointer)
{
    while (frame < from && frame->saved == NULL)
        frame++;
    return frame->saved == NULL ? pointer : word_at(frame->saved);
}

static bool has_changed(const struct walked *caller, uintptr_t pointer, uint64_t module,
                        struct frame_modules *modules)
{
    return (caller->needs_pointer && pointer != caller->at.pointer) ||
           (caller->module != module &&
            (caller->module == 0 || caller->module != frame_module(caller->at.pc, modules)));
}

/*
 * Goes outwards from a frame of the last walk, as long as the stack has the same words, which may
 * be read because the walk would have read them. Returns where that ends, and sets *place to it.
 */
static unsigned follow(struct walk *walk, const struct last_walk *last, unsigned from,
                       struct place *place, struct frame_modules *modules)
{
    const struct walked *begin = &last->frames[from], *frame = begin;
    unsigned room = walk->most - walk->depth - 1, steps = from < room ? from : room, left = steps;
    uintptr_t *pcs = walk->pcs + walk->depth;

    *pcs++ = place->pc;
    for (; left > 0; left--, frame--) {
        const struct walked *caller = frame - 1;
        uintptr_t pc = word_at(frame->returns);

        if (pc != caller->at.pc ||
            (frame->to_check && has_changed(caller, pointer_behind(frame, begin, place->pointer),
                                            frame->module, modules)))
            break;
        *pcs++ = pc;
    }
    walk->depth += steps - left + 1;
    place->pc = frame->at.pc;
    place->stack = frame->at.stack;
    if (frame < begin)
        place->pointer = pointer_behind(frame + 1, begin, place->pointer);
    return (unsigned)(frame - last->frames);
}

static bool is_again(const struct walked *frame, const struct walked *before)
{
    return frame->at.pc == before->at.pc && frame->at.stack == before->at.stack &&
           frame->module == before->module && frame->module != 0 &&
           (!before->needs_pointer || frame->at.pointer == before->at.pointer);
}

static bool is_end(const struct walked *frame)
{
    return frame->first && (frame->returns == NULL || word_at(frame->returns) == 0);
}

/*
 * Goes on by the last walk if it came by this place. `top` frames of it have not been passed yet.
 * Returns whether that was possible to the end, or to the last frame that fits.
 */
static bool go_again(struct walk *walk, struct last_walk *last, struct walked *frame, unsigned *top,
                     struct frame_modules *modules)
{
    unsigned from, to;

    while (*top > 0 && last->frames[*top - 1].at.stack < frame->at.stack)
        (*top)--;
    if (*top == 0 || !is_again(frame, &last->frames[*top - 1])) {
        walk->pcs[walk->depth++] = frame->at.pc;
        return false;
    }
    from = *top - 1;
    to = follow(walk, last, from, &frame->at, modules);
    walk->complete = to == 0 && is_end(&last->frames[0]);
    if (walk->complete || walk->depth == walk->most)
        return true;
    for (unsigned n = from; n > to; n--)
        last_walk_add(last, &last->frames[n]);
    frame->module = last->frames[to].module;
    *top = to;
    return false;
}

/* Walks by kept rules. Returns whether that was possible to the end, or to the last that fits. */
static bool walk_kept(struct walk *walk, struct place place, struct last_walk *last)
{
    struct frame_modules modules = {.next = 0};
    unsigned top = last == NULL ? 0 : last->depth;

    while (walk->depth < walk->most) {
        struct walked frame = {.at = place, .module = frame_module(place.pc, &modules)};

        if (go_again(walk, last, &frame, &top, &modules)) {
            last_walk_end(last, top);
            return true;
        }
        place = frame.at;
        if (!step(&frame, &place))
            return false;
        last_walk_add(last, &frame);
        walk->complete = frame.first;
        if (frame.first)
            break;
    }
    last_walk_end(last, 0);
    return true;
}

/*
 * Goes from the library's own function to the one that called it with `frame`. On x86-64 each
 * function that keeps a frame pointer has it at the end of its frame, next to its return address.
 */
#if defined(__x86_64__)
static bool find_caller(const uintptr_t *frame, struct place *place)
{
    *place = (struct place){.pc = frame[1], .stack = (uintptr_t)(frame + 2), .pointer = frame[0]};
    return true;
}
#else
/* So many of the library's functions are between the hook and the caller, at most. */
enum { OWN_FRAMES = 16 };

static bool find_caller(const uintptr_t *frame, struct place *place)
{
    struct frame_modules modules = {.next = 0};

    for (unsigned own = 0; own < OWN_FRAMES && place->pc != frame[1]; own++) {
        struct walked walked = {.at = *place, .module = frame_module(place->pc, &modules)};

        if (!step(&walked, place) || walked.first)
            return false;
    }
    return place->pc == frame[1];
}
#endif

__attribute__((noinline)) unsigned stack_walk(void *frame, uintptr_t *pcs, unsigned most,
                                              bool *complete)
{
    struct walk walk = {.pcs = pcs, .most = most};
    struct place place = {.pc = (uintptr_t)__builtin_return_address(0),
                          .stack = (uintptr_t)__builtin_dwarf_cfa(),
                          .pointer = *(const uintptr_t *)__builtin_frame_address(0)};
    struct last_walk *last = last_walk_get();

    if (last != NULL)
        last->added = 0;
    if (!find_caller(frame, &place) || !walk_kept(&walk, place, last))
        return stack_walk_tables(frame, pcs, most, complete);
    *complete = walk.complete;
    return walk.depth;
}

void stack_walk_begin(void)
{
    uintptr_t pc;
    struct walk walk = {.pcs = &pc, .most = 1};

    last_walk_begin();
    /* The first walk of a process may have to load something. */
    (void)_Unwind_Backtrace(store, &walk);
}
