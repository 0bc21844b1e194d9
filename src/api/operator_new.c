/*
 * C++ operator new and delete, by their mangled names, so that a C library can define them; weak, so that a
 * program's own replacements win. The forms that must not throw but call a handler which may are in
 * operator_new_nothrow.cc: catching takes C++.
 */
#ifndef FT_MALLOC_PREFIXED

#include "api/operator_new.h"

#include "api/api.h"
#include "os/os.h"

void *operator_new_try(size_t size, size_t align)
{
    return align <= CHUNK_ALIGN ? api_alloc(size) : api_alloc_aligned(align, size);
}

/* As the standard wants it: the handler may free memory, throw, or end the program; it is asked until then. */
void *operator_new_retry(size_t size, size_t align)
{
    void *chunk;

    while ((chunk = operator_new_try(size, align)) == NULL) {
        new_handler *handler = _ZSt15get_new_handlerv != NULL ? _ZSt15get_new_handlerv() : NULL;

        if (handler != NULL)
            handler();
        else if (_ZSt17__throw_bad_allocv != NULL)
            _ZSt17__throw_bad_allocv();
        else
            os_abort();
    }
    return chunk;
}

/* Where the fast path misses, its slow half returns NULL without having asked anyone. */
static inline void *new_or_retry(size_t size)
{
    void *chunk = api_alloc(size);

    return likely(chunk != NULL) ? chunk : operator_new_retry(size, 0);
}

void *_Znwm(size_t size)
{
    return new_or_retry(size);
}

void *_Znam(size_t size)
{
    return new_or_retry(size);
}

void *_ZnwmSt11align_val_t(size_t size, size_t align)
{
    return operator_new_retry(size, align);
}

void *_ZnamSt11align_val_t(size_t size, size_t align)
{
    return operator_new_retry(size, align);
}

/* Plain, sized, nothrow, aligned, and their combinations; what comes after the pointer is checked. */
OPERATOR void _ZdlPvm(void *pointer, size_t size);
OPERATOR void _ZdaPvm(void *pointer, size_t size);
OPERATOR void _ZdlPvRKSt9nothrow_t(void *pointer, const void *tag);
OPERATOR void _ZdaPvRKSt9nothrow_t(void *pointer, const void *tag);
OPERATOR void _ZdlPvmSt11align_val_t(void *pointer, size_t size, size_t align);
OPERATOR void _ZdaPvmSt11align_val_t(void *pointer, size_t size, size_t align);
OPERATOR void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *pointer, size_t align, const void *tag);
OPERATOR void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *pointer, size_t align, const void *tag);

void _ZdlPv(void *pointer)
{
    api_free(pointer);
}

void _ZdaPv(void *pointer)
{
    api_free(pointer);
}

void _ZdlPvm(void *pointer, size_t size)
{
    api_free_sized(pointer, size, "operator delete()");
}

void _ZdaPvm(void *pointer, size_t size)
{
    api_free_sized(pointer, size, "operator delete[]()");
}

void _ZdlPvRKSt9nothrow_t(void *pointer, const void *tag)
{
    (void)tag;
    api_free(pointer);
}

void _ZdaPvRKSt9nothrow_t(void *pointer, const void *tag)
{
    (void)tag;
    api_free(pointer);
}

void _ZdlPvSt11align_val_t(void *pointer, size_t align)
{
    api_free_aligned(pointer, align, "operator delete()");
}

void _ZdaPvSt11align_val_t(void *pointer, size_t align)
{
    api_free_aligned(pointer, align, "operator delete[]()");
}

void _ZdlPvmSt11align_val_t(void *pointer, size_t size, size_t align)
{
    api_free_aligned_sized(pointer, align, size, "operator delete()");
}

void _ZdaPvmSt11align_val_t(void *pointer, size_t size, size_t align)
{
    api_free_aligned_sized(pointer, align, size, "operator delete[]()");
}

void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *pointer, size_t align, const void *tag)
{
    (void)tag;
    api_free_aligned(pointer, align, "operator delete()");
}

void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *pointer, size_t align, const void *tag)
{
    (void)tag;
    api_free_aligned(pointer, align, "operator delete[]()");
}

/* See operator_new.h. */
#define OWN(name) __attribute__((alias(API_QUOTED(name))))
void *own_new(size_t size) OWN(_Znwm);
void *own_new_array(size_t size) OWN(_Znam);
void *own_new_aligned(size_t size, size_t align) OWN(_ZnwmSt11align_val_t);
void *own_new_array_aligned(size_t size, size_t align) OWN(_ZnamSt11align_val_t);
void own_delete(void *pointer) OWN(_ZdlPv);
void own_delete_array(void *pointer) OWN(_ZdaPv);
void own_delete_aligned(void *pointer, size_t align) OWN(_ZdlPvSt11align_val_t);
void own_delete_array_aligned(void *pointer, size_t align) OWN(_ZdaPvSt11align_val_t);

#else

/* A translation unit must not be empty. */
typedef int operator_new_is_not_prefixed;

#endif
