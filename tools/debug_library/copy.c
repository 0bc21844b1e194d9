/*
 * memcpy, memmove, mempcpy, memset and their relatives.
 */
#include "checked.h"
#include "real.h"

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
 * The usual case of the functions that programs call most: both ranges are allowed, and the C
 * library's function follows at once. The other cases are in functions of their own, which are
 * called last, so that the return address is the program's in them, too.
 */
CHECKED_INLINE bool both_allow(const void *to, const void *from, size_t size)
{
    uint64_t changes = bounds_changes();

    return bounds_current(changes) && bounds_allow(to, size, changes) &&
           bounds_allow(from, size, changes);
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

void *checked_memcpy(void *to, const void *from, size_t size)
{
    if (__builtin_expect(both_allow(to, from, size), true))
        return REAL_QUICK(memmove)(to, from, size);
    return memcpy_slow(to, from, size);
}

void *checked_memcpy_chk(void *to, const void *from, size_t size, size_t object)
{
    check_object(size, object);
    return checked_memcpy(to, from, size);
}

void *checked_memmove(void *to, const void *from, size_t size)
{
    if (__builtin_expect(both_allow(to, from, size), true))
        return REAL_QUICK(memmove)(to, from, size);
    return memmove_slow(to, from, size);
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

void *checked_memset(void *to, int byte, size_t size)
{
    uint64_t changes = bounds_changes();

    if (__builtin_expect(bounds_current(changes) && bounds_allow(to, size, changes), true))
        return REAL_QUICK(memset)(to, byte, size);
    return memset_slow(to, byte, size);
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

static __attribute__((noinline)) int memcmp_equal(const void *one, const void *other, size_t size)
{
    check_read("memcmp()", one, size);
    check_read("memcmp()", other, size);
    return 0;
}

static __attribute__((noinline)) int bcmp_equal(const void *one, const void *other, size_t size)
{
    check_read("bcmp()", one, size);
    check_read("bcmp()", other, size);
    return 0;
}

/*
 * Programs compare very often, and it is over at the first difference. Only if there is none, all
 * bytes were read for certain.
 */
CHECKED_INLINE bool differs(const void *one, const void *other, size_t size, int *order)
{
    if (size == 0) {
        *order = 0;
        return true;
    }
    *order = *(const unsigned char *)one - *(const unsigned char *)other;
    if (*order == 0)
        *order = REAL_QUICK(memcmp)(one, other, size);
    return *order != 0;
}

int checked_memcmp(const void *one, const void *other, size_t size)
{
    int order;

    if (differs(one, other, size, &order) || both_allow(one, other, size))
        return order;
    return memcmp_equal(one, other, size);
}

int checked_bcmp(const void *one, const void *other, size_t size)
{
    int order;

    if (differs(one, other, size, &order) || both_allow(one, other, size))
        return order;
    return bcmp_equal(one, other, size);
}
