/*
 * What the files of the operators share. The standard builds the forms on each other: array forms
 * on those for one object, nothrow and sized forms on those without; and libstdc++ builds the rest
 * on malloc, free and aligned_alloc. A program that replaces one of them means everything that is
 * built on it, so our forms call the one in force (in_force.h). Fast paths need not ask: they use
 * words of their own, which name no cache as long as anything is another's (arena/thread.h).
 *
 * libstdc++'s own functions are referenced weakly: a C program needs no libstdc++, and a program
 * that throws has it.
 */
#ifndef FT_API_OPERATOR_NEW_H
#define FT_API_OPERATOR_NEW_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void new_handler(void);

/* std::get_new_handler() and std::__throw_bad_alloc(). */
extern new_handler *_ZSt15get_new_handlerv(void) __attribute__((weak));
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak, noreturn));

/*
 * The forms that others are built on, by their mangled names, and by names of ours that nobody else
 * can define.
 */
#define OPERATOR __attribute__((visibility("default"), weak))
OPERATOR void *_Znwm(size_t size);
OPERATOR void *_Znam(size_t size);
OPERATOR void *_ZnwmSt11align_val_t(size_t size, size_t align);
OPERATOR void *_ZnamSt11align_val_t(size_t size, size_t align);
OPERATOR void _ZdlPv(void *pointer);
OPERATOR void _ZdaPv(void *pointer);
OPERATOR void _ZdlPvSt11align_val_t(void *pointer, size_t align);
OPERATOR void _ZdaPvSt11align_val_t(void *pointer, size_t align);
void *own_new(size_t size);
void *own_new_array(size_t size);
void *own_new_aligned(size_t size, size_t align);
void *own_new_array_aligned(size_t size, size_t align);
void own_delete(void *pointer);
void own_delete_array(void *pointer);
void own_delete_aligned(void *pointer, size_t align);
void own_delete_array_aligned(void *pointer, size_t align);
#define OPERATOR_OWN(name) __attribute__((alias(OPERATOR_QUOTED(name))))
#define OPERATOR_QUOTED(name) OPERATOR_STRING(name)
#define OPERATOR_STRING(name) #name

/*
 * Take a chunk from the stacks of the thread's cache. Return NULL if there is none, or if
 * another definition has to serve.
 */
void *operator_new_quick(size_t size);
void *operator_new_quick_aligned(size_t size, size_t align);

/*
 * Returns the definition that is in force instead of ours for a form, or for a form that it is
 * built on; NULL if all are ours.
 */
typedef void *operator_new_other(size_t size, size_t align);
operator_new_other *operator_new_plain(void);
operator_new_other *operator_new_array(void);
operator_new_other *operator_new_aligned(void);
operator_new_other *operator_new_array_aligned(void);

/*
 * `align` is any power of two, or 0 for no particular alignment. Throws if there is no memory, and
 * never returns NULL. `frame` is that of the library's function that the program called, for the
 * event (debug/event.h); the first is for tail calls, so its own frame is that.
 */
void *operator_new_retry(size_t size, size_t align);
void *operator_new_retry_from(size_t size, size_t align, void *frame);

/*
 * Makes one attempt, without a handler. Returns NULL if there is no memory; the call goes on then.
 */
void *operator_new_try(size_t size, size_t align, void *frame);

/* Ends a call for which there is no memory, for modes that see calls. Returns NULL. */
void *operator_new_give_up(size_t size, size_t align, void *frame);

#ifdef __cplusplus
}
#endif

#endif
