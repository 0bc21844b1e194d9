/*
 * operator new(nothrow): like the throwing form, but with NULL instead of the exception, whoever throws it: a
 * new_handler may. The personality routine and what catches are referenced weakly, so that C programs load
 * the library without libstdc++; in a program that throws they are there.
 */
#include "api/operator_new.h"

__asm__(".weak __gxx_personality_v0\n"
        ".weak __cxa_begin_catch\n"
        ".weak __cxa_end_catch\n");

static void *new_or_null(size_t size, size_t align)
{
    void *chunk = operator_new_try(size, align);

    if (chunk != nullptr || _ZSt15get_new_handlerv == nullptr || _ZSt15get_new_handlerv() == nullptr)
        return chunk;
    try {
        return operator_new_retry(size, align);
    } catch (...) {
        return nullptr;
    }
}

extern "C" {

/* Not declared noexcept, though nothing leaves them: clang would call std::terminate() to make sure of it. */
OPERATOR void *_ZnwmRKSt9nothrow_t(size_t size, const void *tag);
OPERATOR void *_ZnamRKSt9nothrow_t(size_t size, const void *tag);
OPERATOR void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *tag);
OPERATOR void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *tag);

void *_ZnwmRKSt9nothrow_t(size_t size, const void *)
{
    return new_or_null(size, 0);
}

void *_ZnamRKSt9nothrow_t(size_t size, const void *)
{
    return new_or_null(size, 0);
}

void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *)
{
    return new_or_null(size, align);
}

void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align, const void *)
{
    return new_or_null(size, align);
}
}
