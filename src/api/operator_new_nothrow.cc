/*
 * operator new(nothrow): like the throwing form, but returns NULL instead of the exception, whoever
 * throws it: a new_handler may, or a program's own operator new. The personality routine and the
 * functions that catch are referenced weakly, so that C programs load the library without
 * libstdc++; a program that throws has them.
 */
#include "api/operator_new.h"

__asm__(".weak __gxx_personality_v0\n"
        ".weak __cxa_begin_catch\n"
        ".weak __cxa_end_catch\n");

static void *call_or_null(operator_new_other *make, size_t size, size_t align)
{
    try {
        return make(size, align);
    } catch (...) {
        return nullptr;
    }
}

static void *retry_or_null(size_t size, size_t align, void *frame)
{
    try {
        return operator_new_retry_from(size, align, frame);
    } catch (...) {
        return nullptr;
    }
}

/*
 * Serves what the fast path does not. `other` is the throwing form, if it is not ours. Called as a
 * tail call, so its frame is that of the program's call.
 */
static __attribute__((noinline)) void *new_or_null(operator_new_other *other, size_t size,
                                                   size_t align)
{
    void *frame = __builtin_frame_address(0);
    void *chunk;

    if (other != nullptr)
        return call_or_null(other, size, align);
    chunk = operator_new_try(size, align, frame);
    if (chunk != nullptr)
        return chunk;
    if (_ZSt15get_new_handlerv == nullptr || _ZSt15get_new_handlerv() == nullptr)
        return operator_new_give_up(size, align, frame);
    return retry_or_null(size, align, frame);
}

extern "C" {

/*
 * Not declared noexcept, although no exception leaves it: clang would call std::terminate() to make
 * sure.
 */
OPERATOR void *_ZnwmRKSt9nothrow_t(size_t size, const void *tag);
OPERATOR void *_ZnamRKSt9nothrow_t(size_t size, const void *tag);
OPERATOR void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *tag);
OPERATOR void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *tag);

void *_ZnwmRKSt9nothrow_t(size_t size, const void *)
{
    void *chunk = operator_new_quick(size);

    return chunk != nullptr ? chunk : new_or_null(operator_new_plain(), size, 0);
}

void *_ZnamRKSt9nothrow_t(size_t size, const void *)
{
    void *chunk = operator_new_quick(size);

    return chunk != nullptr ? chunk : new_or_null(operator_new_array(), size, 0);
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *)
{
    void *chunk = operator_new_quick_aligned(size, align);

    return chunk != nullptr ? chunk : new_or_null(operator_new_aligned(), size, align);
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *)
{
    void *chunk = operator_new_quick_aligned(size, align);

    return chunk != nullptr ? chunk : new_or_null(operator_new_array_aligned(), size, align);
}
}
