/*
 * memcpy, memmove, mempcpy, memset and their relatives.
 */
#include "checked.h"
#include "real.h"
#include "short.h"

CHECKED_API void *checked_memcpy(void *, const void *, size_t) CHECKED_NAME(memcpy);
CHECKED_API void *checked_memmove(void *, const void *, size_t) CHECKED_NAME(memmove);
CHECKED_API void *checked_mempcpy(void *, const void *, size_t) CHECKED_NAME(mempcpy);
CHECKED_API void *checked_mempcpy_2(void *, const void *, size_t) CHECKED_NAME(__mempcpy);
CHECKED_API void *checked_memset(void *, int, size_t) CHECKED_NAME(memset);
CHECKED_API void *checked_memccpy(void *, const void *, int, size_t) CHECKED_NAME(memccpy);
CHECKED_API void checked_bcopy(const void *, void *, size_t) CHECKED_NAME(bcopy);
CHECKED_API void checked_bzero(void *, size_t) CHECKED_NAME(bzero);
CHECKED_API void checked_explicit_bzero(void *, size_t) CHECKED_NAME(explicit_bzero);
CHECKED_API int checked_memcmp(const void *, const void *, size_t) CHECKED_NAME(memcmp);
CHECKED_API int checked_bcmp(const void *, const void *, size_t) CHECKED_NAME(bcmp);
CHECKED_API void *checked_memcpy_chk(void *, const void *, size_t, size_t)
    CHECKED_NAME(__memcpy_chk);
CHECKED_API void *checked_memmove_chk(void *, const void *, size_t, size_t)
    CHECKED_NAME(__memmove_chk);
CHECKED_API void *checked_mempcpy_chk(void *, const void *, size_t, size_t)
    CHECKED_NAME(__mempcpy_chk);
CHECKED_API void *checked_memset_chk(void *, int, size_t, size_t) CHECKED_NAME(__memset_chk);
CHECKED_API void checked_explicit_bzero_chk(void *, size_t, size_t)
    CHECKED_NAME(__explicit_bzero_chk);

/*
 * The usual case of the functions that programs call most: both ranges are allowed, and the work
 * follows at once. The other cases are in functions of their own, which are called last, so that
 * the return address is the program's in them, too, and that no function needs a frame.
 */
CHECKED_INLINE bool both_allow(const void *to, const void *from, size_t size)
{
    struct bounds_known *known = bounds_of_thread();

    return bounds_current(known, size) && bounds_allow(known, to, size) &&
           bounds_allow(known, from, size);
}

CHECKED_INLINE void *move(void *to, const void *from, size_t size)
{
    if (size > SHORT_COPY)
        return REAL_QUICK(memmove)(to, from, size);
    short_copy(to, from, size);
    return to;
}

CHECKED_INLINE void *copy(const char *function, void *to, const void *from, size_t size)
{
    /* realloc() copies the slack, too. */
    if (checked_is_core(__builtin_return_address(0)))
        return real()->memmove(to, from, size);
    check_write(function, to, size);
    check_read(function, from, size);
    return real()->memmove(to, from, size);
}

static __attribute__((noinline)) void *memcpy_slow(void *to, const void *from, size_t size)
{
    return copy("memcpy()", to, from, size);
}

static __attribute__((noinline)) void *memmove_slow(void *to, const void *from, size_t size)
{
    return copy("memmove()", to, from, size);
}

#define COPY(name)                                                                                 \
    static __attribute__((noinline)) void *name##_outside_from(                                    \
        void *to, const void *from, size_t size, struct bounds_known *known)                       \
    {                                                                                              \
        return bounds_allow_outside(known, from, size) ? move(to, from, size)                      \
                                                       : name##_slow(to, from, size);              \
    }                                                                                              \
                                                                                                   \
    static __attribute__((noinline)) void *name##_from_small(                                      \
        void *to, const void *from, size_t size, struct bounds_known *known)                       \
    {                                                                                              \
        return bounds_allow_small(known, from, size) ? move(to, from, size)                        \
                                                     : name##_outside_from(to, from, size, known); \
    }                                                                                              \
                                                                                                   \
    CHECKED_INLINE void *name##_from(void *to, const void *from, size_t size,                      \
                                     struct bounds_known *known)                                   \
    {                                                                                              \
        if (!bounds_is_tiny(known, from))                                                          \
            return name##_from_small(to, from, size, known);                                       \
        return bounds_allow_tiny(from, size) ? move(to, from, size) : name##_slow(to, from, size); \
    }                                                                                              \
                                                                                                   \
    static __attribute__((noinline)) void *name##_outside_to(                                      \
        void *to, const void *from, size_t size, struct bounds_known *known)                       \
    {                                                                                              \
        return bounds_allow_outside(known, to, size) ? name##_from(to, from, size, known)          \
                                                     : name##_slow(to, from, size);                \
    }                                                                                              \
                                                                                                   \
    static __attribute__((noinline)) void *name##_to_small(                                        \
        void *to, const void *from, size_t size, struct bounds_known *known)                       \
    {                                                                                              \
        return bounds_allow_small(known, to, size) ? name##_from(to, from, size, known)            \
                                                   : name##_outside_to(to, from, size, known);     \
    }                                                                                              \
                                                                                                   \
    void *checked_##name(void *to, const void *from, size_t size)                                  \
    {                                                                                              \
        struct bounds_known *known = bounds_of_thread();                                           \
                                                                                                   \
        if (!bounds_current(known, size))                                                          \
            return name##_slow(to, from, size);                                                    \
        if (!bounds_is_tiny(known, to))                                                            \
            return name##_to_small(to, from, size, known);                                         \
        return bounds_allow_tiny(to, size) ? name##_from(to, from, size, known)                    \
                                           : name##_slow(to, from, size);                          \
    }                                                                                              \
    void *checked_##name(void *to, const void *from, size_t size)

COPY(memcpy);
COPY(memmove);

void *checked_memcpy_chk(void *to, const void *from, size_t size, size_t object)
{
    check_object(size, object);
    return checked_memcpy(to, from, size);
}

void *checked_memmove_chk(void *to, const void *from, size_t size, size_t object)
{
    check_object(size, object);
    return checked_memmove(to, from, size);
}

void checked_bcopy(const void *from, void *to, size_t size)
{
    (void)copy("bcopy()", to, from, size);
}

void *checked_mempcpy(void *to, const void *from, size_t size)
{
    return (char *)copy("mempcpy()", to, from, size) + size;
}

void *checked_mempcpy_2(void *to, const void *from, size_t size)
{
    return (char *)copy("mempcpy()", to, from, size) + size;
}

void *checked_mempcpy_chk(void *to, const void *from, size_t size, size_t object)
{
    check_object(size, object);
    return (char *)copy("mempcpy()", to, from, size) + size;
}

static __attribute__((noinline)) void *memset_slow(void *to, int byte, size_t size)
{
    if (!checked_is_core(__builtin_return_address(0)))
        check_write("memset()", to, size);
    return real()->memset(to, byte, size);
}

static __attribute__((noinline)) void *memset_far(void *to, int byte, size_t size,
                                                  struct bounds_known *known)
{
    return bounds_allow_small(known, to, size) || bounds_allow_outside(known, to, size)
               ? REAL_QUICK(memset)(to, byte, size)
               : memset_slow(to, byte, size);
}

void *checked_memset(void *to, int byte, size_t size)
{
    struct bounds_known *known = bounds_of_thread();

    if (!bounds_current(known, size) || (bounds_is_tiny(known, to) && !bounds_allow_tiny(to, size)))
        return memset_slow(to, byte, size);
    return bounds_is_tiny(known, to) ? REAL_QUICK(memset)(to, byte, size)
                                     : memset_far(to, byte, size, known);
}

void *checked_memset_chk(void *to, int byte, size_t size, size_t object)
{
    check_object(size, object);
    return checked_memset(to, byte, size);
}

void checked_bzero(void *to, size_t size)
{
    check_write("bzero()", to, size);
    (void)real()->memset(to, 0, size);
}

void checked_explicit_bzero(void *to, size_t size)
{
    check_write("explicit_bzero()", to, size);
    real()->explicit_bzero(to, size);
}

void checked_explicit_bzero_chk(void *to, size_t size, size_t object)
{
    check_object(size, object);
    check_write("explicit_bzero()", to, size);
    real()->explicit_bzero(to, size);
}

/* Copies as far as both chunks reach. Only if the byte is not found there, more would be copied. */
void *checked_memccpy(void *to, const void *from, int byte, size_t size)
{
    size_t room_to = bounds_room(to), room_from = bounds_room(from);
    size_t room = room_to < room_from ? room_to : room_from;
    void *end;

    if (size <= room)
        return real()->memccpy(to, from, byte, size);
    end = real()->memccpy(to, from, byte, room);
    if (end != NULL)
        return end;
    if (room_to == room)
        checked_fail("memccpy()", to, room + 1, true, __builtin_return_address(0));
    else
        checked_fail("memccpy()", from, room + 1, false, __builtin_return_address(0));
    return real()->memccpy(to, from, byte, size);
}

/*
 * Programs compare very often, and it is over at the first difference. Only if there is none, all
 * bytes were read for certain.
 */
#define COMPARE(name)                                                                              \
    static                                                                                         \
        __attribute__((noinline)) int name##_slow(const void *one, const void *other, size_t size) \
    {                                                                                              \
        check_read(#name "()", one, size);                                                         \
        check_read(#name "()", other, size);                                                       \
        return 0;                                                                                  \
    }                                                                                              \
                                                                                                   \
    static                                                                                         \
        __attribute__((noinline)) int name##_rare(const void *one, const void *other, size_t size) \
    {                                                                                              \
        return both_allow(one, other, size) ? 0 : name##_slow(one, other, size);                   \
    }                                                                                              \
                                                                                                   \
    CHECKED_INLINE int name##_equal(const void *one, const void *other, size_t size)               \
    {                                                                                              \
        struct bounds_known *known = bounds_of_thread();                                           \
                                                                                                   \
        if (!bounds_current(known, size) || !bounds_is_tiny(known, one) ||                         \
            !bounds_is_tiny(known, other) || !bounds_allow_tiny(one, size) ||                      \
            !bounds_allow_tiny(other, size))                                                       \
            return name##_rare(one, other, size);                                                  \
        return 0;                                                                                  \
    }                                                                                              \
                                                                                                   \
    static                                                                                         \
        __attribute__((noinline)) int name##_long(const void *one, const void *other, size_t size) \
    {                                                                                              \
        int order = REAL_QUICK(memcmp)(one, other, size);                                          \
                                                                                                   \
        return order != 0 ? order : name##_equal(one, other, size);                                \
    }                                                                                              \
                                                                                                   \
    int checked_##name(const void *one, const void *other, size_t size)                            \
    {                                                                                              \
        int order;                                                                                 \
                                                                                                   \
        if (size == 0)                                                                             \
            return 0;                                                                              \
        order = *(const unsigned char *)one - *(const unsigned char *)other;                       \
        if (order != 0)                                                                            \
            return order;                                                                          \
        if (size > SHORT_COMPARISON)                                                               \
            return name##_long(one, other, size);                                                  \
        order = short_compare(one, other, size);                                                   \
        return order != 0 ? order : name##_equal(one, other, size);                                \
    }

COMPARE(memcmp)
COMPARE(bcmp)
