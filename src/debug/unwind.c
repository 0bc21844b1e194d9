/*
 * A walk along frame pointers reads only memory that is known to be this thread's stack, between
 * the frame that it begins with and the stack's end. Where it is not known to be on that stack, as
 * in a signal handler with a stack of its own or in a coroutine, it stores one address and ends.
 *
 * The C library is asked for nothing: pthread_getattr_np() allocates, and opens a file.
 */
#include "debug/unwind.h"

#include "arena/thread.h"
#include "bins/heap_map.h"
#include "debug/hooks.h"
#include "os/os.h"

#include <elf.h>

/* What a function with a frame pointer stores: its caller's frame, and where it returns to. */
struct frame {
    uintptr_t caller;
    uintptr_t pc;
};

enum {
    FRAME_ALIGN = 16,
    /* Where the kernel maps nothing. */
    LOWEST_CODE = 1 << 16,
    /*
     * How far frames of a thread may be from the end of its stack, and from each other. Stacks of
     * coroutines and of signal handlers are rarely so close to it.
     */
    THREAD_STACK = 1 << 20,
    THREAD_FRAME = 128 << 10,
    /* So much address space in front of the end of the initial stack the kernel keeps for it. */
    MAIN_STACK = 128 << 20,
    /*
     * Between the frames of a thread's first functions and the end of its stack: what the C library
     * keeps there, and variables of TLS.
     */
    FIRST_FRAMES = 8 << 10,
};

/*
 * Written once, before there is a second thread: where the stack of the initial thread ends, how
 * far it may grow, and where the program's own code is.
 */
OS_TOUCHED static uintptr_t main_begin, main_end;
OS_TOUCHED static uintptr_t image_begin, code_begin, code_end, image_end;

static _Atomic(const struct ft_malloc_debug_hooks *) registered;

int ft_malloc_debug_register(const struct ft_malloc_debug_hooks *hooks)
{
    if (hooks->version != DEBUG_HOOKS_VERSION || hooks->size < sizeof *hooks)
        return -1;
    /* Release: who finds them finds them complete. */
    atomic_store_explicit(&registered, hooks, memory_order_release);
    return 0;
}

const struct ft_malloc_debug_hooks *debug_hooks(void)
{
    return atomic_load_explicit(&registered, memory_order_acquire);
}

/* The program's segments, by the headers that the kernel tells of. */
static void find_program(char **environment)
{
    const Elf64_Phdr *header = pointer_to(os_auxiliary(environment, AT_PHDR));
    unsigned long count = os_auxiliary(environment, AT_PHNUM);
    uintptr_t base = 0;

    for (unsigned long n = 0; header != NULL && n < count; n++)
        if (header[n].p_type == PT_PHDR)
            base = (uintptr_t)header - header[n].p_vaddr;
    for (unsigned long n = 0; header != NULL && n < count; n++) {
        if (header[n].p_type != PT_LOAD)
            continue;
        if (image_begin == 0)
            image_begin = base + header[n].p_vaddr;
        if (header[n].p_flags & PF_X && code_begin == 0)
            code_begin = base + header[n].p_vaddr;
        if (header[n].p_flags & PF_X)
            code_end = base + header[n].p_vaddr + header[n].p_memsz;
        image_end = base + header[n].p_vaddr + header[n].p_memsz;
    }
}

void unwind_init(char **environment)
{
    if (environment == NULL || main_end != 0)
        return;
    main_end = (uintptr_t)environment;
    main_begin = main_end - MAIN_STACK;
    find_program(environment);
}

/* The part of this thread's stack that the frames from `frame` on can be in; empty if not known. */
struct range {
    uintptr_t begin, end;
    uintptr_t longest; /* frame */
};

/*
 * The kernel keeps other mappings away from the initial thread's stack. The C library puts a
 * thread's TLS at the end of its stack, so the stack ends in front of any variable of TLS.
 */
static struct range stack_around(uintptr_t frame)
{
    uintptr_t own = (uintptr_t)&thread_self;

    if (frame >= main_begin && frame < main_end)
        return (struct range){frame, main_end, MAIN_STACK};
    if (frame < own && own - frame < THREAD_STACK)
        return (struct range){frame, own, THREAD_FRAME};
    return (struct range){frame, frame, 0};
}

/*
 * Code without frame pointers keeps anything in that register, so a value may look like a frame and
 * what is there like an address of code. This tells numbers, and pointers to stacks, chunks and the
 * program's data.
 */
static bool plausible(uintptr_t pc, const struct range *stack)
{
    if (pc < LOWEST_CODE || pc >> ADDRESS_BITS != 0)
        return false;
    if (pc >= stack->begin && pc < stack->end)
        return false;
    if (pc >= image_begin && pc < image_end && (pc < code_begin || pc >= code_end))
        return false;
    return heap_map_tag(pc) == TAG_NONE;
}

static bool follows(uintptr_t frame, uintptr_t caller, const struct range *stack)
{
    return caller > frame && caller - frame <= stack->longest && caller % FRAME_ALIGN == 0 &&
           caller < stack->end - sizeof(struct frame);
}

/* AddressSanitizer forbids reading between a frame's variables, where these words are. */
__attribute__((no_sanitize("address"))) unsigned unwind_frames(void *frame, uintptr_t *pcs,
                                                               unsigned most, bool *truncated)
{
    struct range stack = stack_around((uintptr_t)frame);
    const struct frame *at = frame;
    unsigned depth = 1;

    pcs[0] = at->pc;
    while (depth < most && follows((uintptr_t)at, at->caller, &stack)) {
        const struct frame *caller = pointer_to(at->caller);

        if (!plausible(caller->pc, &stack))
            break;
        at = caller;
        pcs[depth++] = at->pc;
    }
    *truncated = stack.end - (uintptr_t)at > FIRST_FRAMES || stack.longest == 0;
    return depth;
}

unsigned unwind_stack(void *frame, uintptr_t *pcs, unsigned most, bool *truncated)
{
    const struct ft_malloc_debug_hooks *hooks = debug_hooks();
    unsigned depth = 0;
    bool complete = false;

    if (hooks != NULL && hooks->unwind != NULL)
        depth = hooks->unwind(frame, pcs, most, &complete);
    if (depth == 0)
        return unwind_frames(frame, pcs, most, truncated);
    *truncated = !complete;
    return depth;
}
