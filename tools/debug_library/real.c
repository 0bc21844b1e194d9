/*
 * Finds the functions of the C library behind the names that this library defines.
 */
#include "real.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

struct real real_table;
_Atomic bool real_found;

static void *first_memmove(void *to, const void *from, size_t size)
{
    return real()->memmove(to, from, size);
}

static void *first_memset(void *to, int byte, size_t size)
{
    return real()->memset(to, byte, size);
}

static int first_memcmp(const void *one, const void *other, size_t size)
{
    return real()->memcmp(one, other, size);
}

struct real_quick real_quick = {first_memmove, first_memset, first_memcmp};

#define FOUND_AS(member, symbol)                                                                   \
    {                                                                                              \
        offsetof(struct real, member), symbol                                                      \
    }

/*
 * All of them must be there: for one that is not, dlsym() allocates a message, and the caller may
 * be libft_malloc.so, with a lock held.
 */
static const struct name {
    size_t offset;
    const char *symbol;
} names[] = {
    FOUND_AS(memmove, "memmove"),
    FOUND_AS(memset, "memset"),
    FOUND_AS(memcmp, "memcmp"),
    FOUND_AS(explicit_bzero, "explicit_bzero"),
    FOUND_AS(memccpy, "memccpy"),
    FOUND_AS(strncpy, "strncpy"),
    FOUND_AS(stpncpy, "stpncpy"),
    FOUND_AS(strdup, "strdup"),
    FOUND_AS(strndup, "strndup"),
    FOUND_AS(wcsncpy, "wcsncpy"),
    FOUND_AS(wcpncpy, "wcpncpy"),
    FOUND_AS(wmemset, "wmemset"),
    FOUND_AS(wcsdup, "wcsdup"),
    FOUND_AS(mbstowcs, "mbstowcs"),
    FOUND_AS(mbsrtowcs, "mbsrtowcs"),
    FOUND_AS(mbsnrtowcs, "mbsnrtowcs"),
    FOUND_AS(wcstombs, "wcstombs"),
    FOUND_AS(wcsrtombs, "wcsrtombs"),
    FOUND_AS(wcsnrtombs, "wcsnrtombs"),
    FOUND_AS(wcrtomb, "wcrtomb"),
    FOUND_AS(wctomb, "wctomb"),
    FOUND_AS(vsprintf, "vsprintf"),
    FOUND_AS(vsnprintf, "vsnprintf"),
    FOUND_AS(vsprintf_chk, "__vsprintf_chk"),
    FOUND_AS(vsnprintf_chk, "__vsnprintf_chk"),
    FOUND_AS(vswprintf, "vswprintf"),
    FOUND_AS(vswprintf_chk, "__vswprintf_chk"),
    FOUND_AS(vfscanf, "vfscanf"),
    FOUND_AS(vfscanf_c99, "__isoc99_vfscanf"),
    FOUND_AS(vsscanf, "vsscanf"),
    FOUND_AS(vsscanf_c99, "__isoc99_vsscanf"),
#if REAL_HAS_C23
    FOUND_AS(vfscanf_c23, "__isoc23_vfscanf"),
    FOUND_AS(vsscanf_c23, "__isoc23_vsscanf"),
#endif
    FOUND_AS(read, "read"),
    FOUND_AS(pread, "pread"),
    FOUND_AS(recv, "recv"),
    FOUND_AS(recvfrom, "recvfrom"),
    FOUND_AS(readlink, "readlink"),
    FOUND_AS(readlinkat, "readlinkat"),
    FOUND_AS(getcwd, "getcwd"),
    FOUND_AS(readv, "readv"),
    FOUND_AS(preadv, "preadv"),
    FOUND_AS(recvmsg, "recvmsg"),
    FOUND_AS(preadv2, "preadv2"),
    FOUND_AS(recvmmsg, "recvmmsg"),
    FOUND_AS(writev, "writev"),
    FOUND_AS(pwritev, "pwritev"),
    FOUND_AS(pwritev2, "pwritev2"),
    FOUND_AS(sendmmsg, "sendmmsg"),
    FOUND_AS(sendmsg, "sendmsg"),
    FOUND_AS(getrandom, "getrandom"),
    FOUND_AS(getentropy, "getentropy"),
    FOUND_AS(write, "write"),
    FOUND_AS(pwrite, "pwrite"),
    FOUND_AS(send, "send"),
    FOUND_AS(sendto, "sendto"),
    FOUND_AS(fread, "fread"),
    FOUND_AS(fread_unlocked, "fread_unlocked"),
    FOUND_AS(fwrite, "fwrite"),
    FOUND_AS(fwrite_unlocked, "fwrite_unlocked"),
    FOUND_AS(fgets, "fgets"),
    FOUND_AS(fgets_unlocked, "fgets_unlocked"),
    FOUND_AS(fgetws, "fgetws"),
    FOUND_AS(getdelim, "getdelim"),
    FOUND_AS(fputs, "fputs"),
    FOUND_AS(fputs_unlocked, "fputs_unlocked"),
    FOUND_AS(puts, "puts"),
    FOUND_AS(realpath, "realpath"),
    FOUND_AS(gethostname, "gethostname"),
    FOUND_AS(inet_ntop, "inet_ntop"),
    FOUND_AS(inet_pton, "inet_pton"),
    FOUND_AS(strftime, "strftime"),
    FOUND_AS(strftime_l, "strftime_l"),
    FOUND_AS(wcsftime, "wcsftime"),
    FOUND_AS(wcsftime_l, "wcsftime_l"),
    FOUND_AS(asctime_r, "asctime_r"),
    FOUND_AS(ctime_r, "ctime_r"),
    FOUND_AS(gmtime_r, "gmtime_r"),
    FOUND_AS(localtime_r, "localtime_r"),
    FOUND_AS(qsort, "qsort"),
    FOUND_AS(qsort_r, "qsort_r"),
    FOUND_AS(poll, "poll"),
    FOUND_AS(ppoll, "ppoll"),
    FOUND_AS(select, "select"),
    FOUND_AS(pselect, "pselect"),
    FOUND_AS(epoll_wait, "epoll_wait"),
    FOUND_AS(epoll_pwait, "epoll_pwait"),
    FOUND_AS(getgroups, "getgroups"),
    FOUND_AS(malloc_usable_size, "malloc_usable_size"),
};

void real_find(void)
{
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
        *(void **)((char *)&real_table + names[n].offset) = dlsym(RTLD_NEXT, names[n].symbol);
    atomic_store_explicit(&real_quick.memmove, real_table.memmove, memory_order_relaxed);
    atomic_store_explicit(&real_quick.memset, real_table.memset, memory_order_relaxed);
    atomic_store_explicit(&real_quick.memcmp, real_table.memcmp, memory_order_relaxed);
    atomic_store_explicit(&real_found, true, memory_order_release);
}
