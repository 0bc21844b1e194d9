/*
 * C++ operator new, by its mangled names, so that a C library can define it, and weak, so that a
 * program's own replacements win. The forms that must not throw, but call functions that may, are
 * in operator_new_nothrow.cc, because catching needs C++. operator_new.h says what counts as
 * replaced.
 */
#ifndef FT_MALLOC_PREFIXED

#include "api/operator_new.h"

#include "api/api.h"
#include "api/in_force.h"
#include "api/watched.h"
#include "os/os.h"

void *operator_new_quick(size_t size)
{
    return api_take(thread_to_new(), size);
}

void *operator_new_quick_aligned(size_t size, size_t align)
{
    return api_take_aligned(thread_to_new(), align, size);
}

/*
 * Like libstdc++: malloc(0) might return NULL, and aligned_alloc() might require a multiple of the
 * alignment.
 */
static void *try_in_force(size_t size, size_t align)
{
    size_t least = size > 0 ? size : 1;

    if (align == 0)
        return in_force_malloc(least);
    if (align > PTRDIFF_MAX || least > PTRDIFF_MAX - align)
        return api_no_memory();
    return in_force_aligned_alloc(align, round_up(least, align));
}

static enum event_kind kind_of(size_t align)
{
    return align == 0 ? EVENT_MALLOC : EVENT_ALIGNED;
}

void *operator_new_try(size_t size, size_t align, void *frame)
{
    if (unlikely(!in_force_operators_ours()) &&
        in_force_replaced(align == 0 ? IN_FORCE_MALLOC : IN_FORCE_ALIGNED_ALLOC))
        return try_in_force(size, align);
    /* A call that fails may be tried again, so its event is emitted when it is given up. */
    if (api_allocations_watched())
        return watched_attempt(kind_of(align), align, size, frame);
    return align <= CHUNK_ALIGN ? api_alloc(size) : api_alloc_aligned(align, size);
}

void *operator_new_give_up(size_t size, size_t align, void *frame)
{
    if (modes_malloc_slow())
        watched_failed(kind_of(align), size, frame);
    return NULL;
}

/*
 * As the standard requires: the handler may free memory, throw, or end the program; it is called
 * until it does one of these.
 */
__attribute__((noinline)) void *operator_new_retry_from(size_t size, size_t align, void *frame)
{
    void *chunk;

    if (frame == NULL)
        frame = __builtin_frame_address(0);
    while ((chunk = operator_new_try(size, align, frame)) == NULL) {
        new_handler *handler = _ZSt15get_new_handlerv != NULL ? _ZSt15get_new_handlerv() : NULL;

        if (handler != NULL) {
            handler();
            continue;
        }
        operator_new_give_up(size, align, frame);
        if (_ZSt17__throw_bad_allocv != NULL)
            _ZSt17__throw_bad_allocv();
        else
            os_abort();
    }
    return chunk;
}

void *operator_new_retry(size_t size, size_t align)
{
    /* The next function takes its own frame, because this one's ends with the tail call. */
    return operator_new_retry_from(size, align, NULL);
}

static void *call_new(size_t size, size_t align)
{
    (void)align;
    return in_force_new(size);
}

static void *call_new_array(size_t size, size_t align)
{
    (void)align;
    return in_force_new_array(size);
}

operator_new_other *operator_new_plain(void)
{
    return in_force_replaced(IN_FORCE_NEW) ? call_new : NULL;
}

operator_new_other *operator_new_array(void)
{
    return in_force_replaced(IN_FORCE_NEW_ARRAY) ? call_new_array : operator_new_plain();
}

operator_new_other *operator_new_aligned(void)
{
    return in_force_replaced(IN_FORCE_NEW_ALIGNED) ? in_force_new_aligned : NULL;
}

operator_new_other *operator_new_array_aligned(void)
{
    return in_force_replaced(IN_FORCE_NEW_ARRAY_ALIGNED) ? in_force_new_array_aligned
                                                         : operator_new_aligned();
}

/* What the forms continue with when the stacks of the thread have no chunk. */
static __attribute__((noinline)) void *new_slow(size_t size)
{
    void *chunk = thread_self.operators_ours ? watched_take_counted(size) : NULL;

    return chunk != NULL ? chunk : operator_new_retry(size, 0);
}

static __attribute__((noinline)) void *new_array_slow(size_t size)
{
    void *chunk = thread_self.operators_ours ? watched_take_counted(size) : NULL;
    operator_new_other *other;

    if (chunk != NULL)
        return chunk;
    other = operator_new_plain();
    return other != NULL ? other(size, 0) : operator_new_retry(size, 0);
}

static __attribute__((noinline)) void *new_array_aligned_slow(size_t size, size_t align)
{
    operator_new_other *other = operator_new_aligned();

    return other != NULL ? other(size, align) : operator_new_retry(size, align);
}

static __attribute__((noinline)) void *new_small_slow(size_t size)
{
    void *chunk = small_borrow(&thread_self.to_new, size);

    return chunk != NULL ? chunk : new_slow(size);
}

static __attribute__((noinline)) void *new_array_small_slow(size_t size)
{
    void *chunk = small_borrow(&thread_self.to_new, size);

    return chunk != NULL ? chunk : new_array_slow(size);
}

/* Out of line, like api_malloc_small(). */
static __attribute__((noinline)) void *new_small(size_t size)
{
    void *chunk;

    if (unlikely(size > SMALL_MAX))
        return new_slow(size);
    chunk = small_take(small_stack_at(&thread_self.to_new, size), size);
    return likely(chunk != NULL) ? chunk : new_small_slow(size);
}

static __attribute__((noinline)) void *new_array_small(size_t size)
{
    void *chunk;

    if (unlikely(size > SMALL_MAX))
        return new_array_slow(size);
    chunk = small_take(small_stack_at(&thread_self.to_new, size), size);
    return likely(chunk != NULL) ? chunk : new_array_small_slow(size);
}

void *_Znwm(size_t size)
{
    void *chunk;

    if (unlikely(size > TINY_MAX))
        return new_small(size);
    chunk = tiny_take(tiny_stack_at(&thread_self.to_new, size), size);
    return likely(chunk != NULL) ? chunk : new_slow(size);
}

void *_Znam(size_t size)
{
    void *chunk;

    if (unlikely(size > TINY_MAX))
        return new_array_small(size);
    chunk = tiny_take(tiny_stack_at(&thread_self.to_new, size), size);
    return likely(chunk != NULL) ? chunk : new_array_slow(size);
}

void *_ZnwmSt11align_val_t(size_t size, size_t align)
{
    void *chunk = operator_new_quick_aligned(size, align);

    return likely(chunk != NULL) ? chunk : operator_new_retry(size, align);
}

void *_ZnamSt11align_val_t(size_t size, size_t align)
{
    void *chunk = operator_new_quick_aligned(size, align);

    return likely(chunk != NULL) ? chunk : new_array_aligned_slow(size, align);
}

void *own_new(size_t size) OPERATOR_OWN(_Znwm);
void *own_new_array(size_t size) OPERATOR_OWN(_Znam);
void *own_new_aligned(size_t size, size_t align) OPERATOR_OWN(_ZnwmSt11align_val_t);
void *own_new_array_aligned(size_t size, size_t align) OPERATOR_OWN(_ZnamSt11align_val_t);

#else

/* A translation unit must not be empty. */
typedef int operator_new_is_not_prefixed;

#endif
