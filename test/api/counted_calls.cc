/*
 * Makes one kind of call, TIMES times, for test_counts.c to compare what FT_MALLOC_STATS counted.
 * usage: counted_calls CASE
 */
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <new>
#include <pthread.h>

namespace
{

enum { TIMES = 10, TINY = 100, SMALL = 5000, LARGE = 1000000 };
const size_t huge = SIZE_MAX / 2;
volatile size_t too_much = huge;

/* Declared by no header, or not by every C library's. */
void (*cfree_of_libc)(void *);
void (*sized)(void *, size_t);
void (*aligned_sized)(void *, size_t, size_t);
void *(*libc_malloc)(size_t);
void *(*libc_realloc)(void *, size_t);
void *(*libc_memalign)(size_t, size_t);
void (*libc_free)(void *);

template <typename Function> void look_up(Function &function, const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);

    if (found == nullptr)
        abort();
    memcpy(&function, &found, sizeof found);
}

template <size_t Size> void malloc_and_free()
{
    free(malloc(Size));
}

void nothing()
{
}
void free_null()
{
    free(nullptr);
}
void free_by_cfree()
{
    cfree_of_libc(malloc(TINY));
}
void free_by_size()
{
    sized(malloc(SMALL), SMALL);
}
void free_by_alignment()
{
    aligned_sized(aligned_alloc(64, 640), 64, 640);
}
void by_libc_names()
{
    libc_free(libc_realloc(libc_malloc(TINY), SMALL));
}
void memalign_by_libc_name()
{
    libc_free(libc_memalign(32, 320));
}
void calloc_tiny()
{
    free(calloc(10, 10));
}
void calloc_large()
{
    free(calloc(1000, 1000));
}

template <size_t From, size_t To> void resize()
{
    free(realloc(malloc(From), To));
}

void realloc_null()
{
    free(realloc(nullptr, TINY));
}
void realloc_to_nothing()
{
    (void)realloc(malloc(TINY), 0);
}
void array()
{
    free(reallocarray(malloc(TINY), 70, 100));
}
void array_too_much()
{
    void *chunk = malloc(TINY);

    if (reallocarray(chunk, too_much, 4) != nullptr)
        abort();
    free(chunk);
}
void realloc_too_much()
{
    void *chunk = malloc(TINY);

    if (realloc(chunk, too_much + 1) != nullptr)
        abort();
    free(chunk);
}

void aligned()
{
    free(aligned_alloc(64, 640));
}
void aligned_little()
{
    free(memalign(8, TINY));
}
void aligned_much()
{
    free(memalign(1 << 20, SMALL));
}
void posix()
{
    void *chunk;

    if (posix_memalign(&chunk, 4096, SMALL) != 0)
        abort();
    free(chunk);
}
void posix_wrong()
{
    void *chunk;

    if (posix_memalign(&chunk, 24, SMALL) == 0)
        abort();
}
void pages()
{
    free(valloc(TINY));
}
void whole_pages()
{
    free(pvalloc(65536));
}
void fail()
{
    if (malloc(too_much + 1) != nullptr || calloc(too_much, 4) != nullptr ||
        memalign(64, too_much + 1) != nullptr || pvalloc(SIZE_MAX) != nullptr)
        abort();
}

void ask()
{
    void *chunk = malloc(TINY);

    if (malloc_usable_size(chunk) < TINY)
        abort();
    (void)mallinfo2();
    (void)malloc_trim(0);
    free(chunk);
}

const auto alignment = static_cast<std::align_val_t>(64);

void new_one()
{
    ::operator delete(::operator new(SMALL));
}
void new_sized()
{
    ::operator delete(::operator new(TINY), static_cast<size_t>(TINY));
}
void new_array()
{
    ::operator delete[](::operator new[](LARGE));
}
void new_array_sized()
{
    ::operator delete[](::operator new[](TINY), static_cast<size_t>(TINY));
}
void new_nothrow()
{
    ::operator delete(::operator new(TINY, std::nothrow), std::nothrow);
    ::operator delete[](::operator new[](TINY, std::nothrow), std::nothrow);
}
void new_aligned()
{
    ::operator delete(::operator new(640, alignment), alignment);
    ::operator delete[](::operator new[](640, alignment), alignment);
}
void new_aligned_sized()
{
    ::operator delete(::operator new(640, alignment), 640, alignment);
    ::operator delete[](::operator new[](640, alignment), 640, alignment);
}
void new_aligned_nothrow()
{
    ::operator delete(::operator new(640, alignment, std::nothrow), alignment, std::nothrow);
    ::operator delete[](::operator new[](640, alignment, std::nothrow), alignment, std::nothrow);
}
void delete_null()
{
    ::operator delete(nullptr);
    ::operator delete(nullptr, static_cast<size_t>(TINY));
    ::operator delete(nullptr, alignment);
}
void new_nothrow_fails()
{
    if (::operator new(too_much + 1, std::nothrow) != nullptr)
        abort();
}

/* The exception takes a malloc() and a free(). */
void new_fails()
{
    try {
        (void)::operator new(too_much + 1);
        abort();
    } catch (const std::bad_alloc &) {
    }
}

void give_up()
{
    std::set_new_handler(nullptr);
}
void new_fails_after_handler()
{
    std::set_new_handler(give_up);
    new_fails();
}

template <void (*Call)()> void *in_thread(void *argument)
{
    for (int n = 0; n < TIMES; n++)
        Call();
    return argument;
}

template <void (*Call)()> void thread()
{
    pthread_t made;

    if (pthread_create(&made, nullptr, in_thread<Call>, nullptr) != 0)
        abort();
    pthread_join(made, nullptr);
}

const struct {
    const char *name;
    void (*call)();
} cases[] = {
    {"nothing", nothing},
    {"free_null", free_null},
    {"malloc_tiny", malloc_and_free<TINY>},
    {"malloc_small", malloc_and_free<SMALL>},
    {"malloc_large", malloc_and_free<LARGE>},
    {"malloc_0", malloc_and_free<0>},
    {"cfree", free_by_cfree},
    {"free_sized", free_by_size},
    {"free_aligned_sized", free_by_alignment},
    {"libc_names", by_libc_names},
    {"libc_memalign", memalign_by_libc_name},
    {"calloc_tiny", calloc_tiny},
    {"calloc_large", calloc_large},
    {"realloc_in_place", resize<TINY, TINY + 1>},
    {"realloc_tiny_to_small", resize<TINY, SMALL>},
    {"realloc_small_to_large", resize<SMALL, LARGE>},
    {"realloc_large_grows", resize<LARGE, 4 * LARGE>},
    {"realloc_large_shrinks", resize<LARGE, TINY>},
    {"realloc_null", realloc_null},
    {"realloc_to_nothing", realloc_to_nothing},
    {"realloc_too_much", realloc_too_much},
    {"reallocarray", array},
    {"reallocarray_too_much", array_too_much},
    {"aligned_alloc", aligned},
    {"memalign_8", aligned_little},
    {"memalign_1_mib", aligned_much},
    {"posix_memalign", posix},
    {"posix_memalign_wrong", posix_wrong},
    {"valloc", pages},
    {"pvalloc", whole_pages},
    {"fail", fail},
    {"ask", ask},
    {"new", new_one},
    {"new_sized", new_sized},
    {"new_array", new_array},
    {"new_array_sized", new_array_sized},
    {"new_nothrow", new_nothrow},
    {"new_aligned", new_aligned},
    {"new_aligned_sized", new_aligned_sized},
    {"new_aligned_nothrow", new_aligned_nothrow},
    {"delete_null", delete_null},
    {"new_nothrow_fails", new_nothrow_fails},
    {"new_fails", new_fails},
    {"new_fails_after_handler", new_fails_after_handler},
    {"thread", thread<nothing>},
    {"thread_malloc", thread<malloc_and_free<SMALL>>},
};

} // namespace

int main(int argc, char **argv)
{
    look_up(cfree_of_libc, "cfree");
    look_up(sized, "free_sized");
    look_up(aligned_sized, "free_aligned_sized");
    look_up(libc_malloc, "__libc_malloc");
    look_up(libc_realloc, "__libc_realloc");
    look_up(libc_memalign, "__libc_memalign");
    look_up(libc_free, "__libc_free");
    for (const auto &one : cases)
        if (argc == 2 && strcmp(argv[1], one.name) == 0) {
            for (int n = 0; n < TIMES; n++)
                one.call();
            return 0;
        }
    return 2;
}
