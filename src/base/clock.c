/*
 * The clock. The kernel maps a small library, the vDSO, into each process; its clock is read
 * without a system call. The coarse clock does not read the processor's counter either. A process
 * may be forbidden to read that counter, its rate differs between machines, and it may jump when
 * the machine sleeps or the process moves to another machine. If there is no vDSO, the calls
 * themselves are counted.
 */
#include "base/clock.h"

#include "base/secret.h"
#include "base/text.h"
#include "os/os.h"

#include <elf.h>
#include <stdatomic.h>
#include <time.h>

typedef int clock_function(clockid_t clock, struct timespec *now);

#if defined(__x86_64__)
static const char clock_name[] = "__vdso_clock_gettime";
#elif defined(__aarch64__)
static const char clock_name[] = "__kernel_clock_gettime";
#else
#error "ft_malloc: the name of the kernel's clock is not known for this processor"
#endif

/*
 * The address of the kernel's function, combined with the secret, or 0. A program that writes to a
 * wrong address must not be able to choose what is called. It is written before a second thread can
 * allocate, or later by the constructor. Relaxed: it is one word, and both the old and the new
 * value work.
 */
OS_TOUCHED static _Atomic uintptr_t encoded_clock;

struct image {
    const char *base;
    uintptr_t bias; /* added to an address in the file, gives the address in memory */
    const Elf64_Dyn *dynamic;
};

static const void *dynamic_entry(const struct image *image, Elf64_Sxword tag)
{
    for (const Elf64_Dyn *entry = image->dynamic; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == tag)
            return pointer_to(image->bias + entry->d_un.d_ptr);
    return NULL;
}

static bool read_image(struct image *image, const char *base)
{
    const Elf64_Ehdr *header = (const void *)base;
    const Elf64_Phdr *part = (const void *)(base + header->e_phoff);
    bool loaded = false;

    *image = (struct image){.base = base};
    for (unsigned n = 0; n < header->e_phnum; n++) {
        if (part[n].p_type == PT_LOAD && !loaded) {
            image->bias = (uintptr_t)base + part[n].p_offset - part[n].p_vaddr;
            loaded = true;
        } else if (part[n].p_type == PT_DYNAMIC) {
            image->dynamic = (const void *)(base + part[n].p_offset);
        }
    }
    return loaded && image->dynamic != NULL;
}

/*
 * Symbols are numbered in the order of their buckets, so the last symbol of the last chain is the
 * last of all.
 */
static uint32_t count_in_chains(const uint32_t *hash)
{
    uint32_t buckets = hash[0], first = hash[1], words = hash[2];
    const uint32_t *bucket = hash + 4 + (size_t)words * (sizeof(Elf64_Xword) / sizeof *hash);
    const uint32_t *chain = bucket + buckets;
    uint32_t last = 0;

    for (uint32_t n = 0; n < buckets; n++)
        last = bucket[n] > last ? bucket[n] : last;
    if (last < first)
        return 0;
    while ((chain[last - first] & 1) == 0)
        last++;
    return last + 1;
}

static uint32_t count_symbols(const struct image *image)
{
    const uint32_t *hash = dynamic_entry(image, DT_HASH);

    if (hash != NULL)
        return hash[1];
    hash = dynamic_entry(image, DT_GNU_HASH);
    return hash != NULL ? count_in_chains(hash) : 0;
}

static uintptr_t find_function(const char *base, const char *name)
{
    struct image image;
    const Elf64_Sym *symbols;
    const char *names;
    uint32_t count;

    if (!read_image(&image, base))
        return 0;
    symbols = dynamic_entry(&image, DT_SYMTAB);
    names = dynamic_entry(&image, DT_STRTAB);
    count = symbols != NULL && names != NULL ? count_symbols(&image) : 0;
    for (uint32_t n = 0; n < count; n++)
        if (symbols[n].st_shndx != SHN_UNDEF && text_equal(names + symbols[n].st_name, name))
            return image.bias + symbols[n].st_value;
    return 0;
}

void clock_init(char **environment)
{
    unsigned long base = environment == NULL ? 0 : os_auxiliary(environment, AT_SYSINFO_EHDR);
    uintptr_t function;

    if (base == 0 || atomic_load_explicit(&encoded_clock, memory_order_relaxed) != 0)
        return;
    function = find_function((const char *)pointer_to(base), clock_name);
    if (function != 0)
        atomic_store_explicit(&encoded_clock, function ^ secret_word, memory_order_relaxed);
}

/* A busy program makes about one call each microsecond, so its free memory ages, too. */
static uint64_t count_calls(void)
{
    enum { NANOSECONDS_PER_CALL = 1000 };
    OS_TOUCHED static _Atomic uint64_t counted;

    /* Relaxed: any order of the counts will do. */
    return atomic_fetch_add_explicit(&counted, NANOSECONDS_PER_CALL, memory_order_relaxed);
}

uint64_t clock_now(void)
{
    uintptr_t encoded = atomic_load_explicit(&encoded_clock, memory_order_relaxed);
    struct timespec now;
    clock_function *clock;

    if (unlikely(encoded == 0))
        return count_calls();
    clock = (clock_function *)pointer_to(encoded ^ secret_word);
    if (unlikely(clock(CLOCK_MONOTONIC_COARSE, &now) != 0))
        return count_calls();
    return (uint64_t)now.tv_sec * 10 * CLOCK_TENTH + (uint64_t)now.tv_nsec;
}
