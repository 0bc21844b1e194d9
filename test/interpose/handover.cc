/*
 * Threads that allocate by every function and operator, and leave each chunk for the next thread to
 * free. Nothing here asks whose the chunks are, so the program must pass with any allocators in
 * force.
 */
#include "support/require.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <mutex>
#include <new>
#include <thread>

namespace
{

using std::align_val_t;
using std::nothrow;
using std::size_t;

constexpr align_val_t to{128};

struct way {
    size_t align;
    void *(*make)(size_t size);
    void (*destroy)(void *block, size_t size);
};

void *make_resized(size_t size)
{
    return reallocarray(std::calloc(1, 8), size / 8, 8);
}

void *make_posix(size_t size)
{
    void *block = nullptr;
    return posix_memalign(&block, 128, size) == 0 ? block : nullptr;
}

void *make_string(size_t size)
{
    char text[40000];
    std::memset(text, 'x', size - 1);
    text[size - 1] = '\0';
    return strdup(text);
}

void *make_line(size_t size)
{
    char text[40000];
    char *line = nullptr;
    size_t room = 0;
    std::memset(text, 'x', size);
    FILE *stream = fmemopen(text, size, "r");
    REQUIRE(stream != nullptr, "no stream");
    REQUIRE(getline(&line, &room, stream) == static_cast<ssize_t>(size), "getline of %zu", size);
    std::fclose(stream);
    return line;
}

void by_free(void *block, size_t)
{
    std::free(block);
}

const way ways[] = {
    {16, [](size_t size) { return std::malloc(size); }, by_free},
    {16, [](size_t size) { return std::calloc(size, 1); }, by_free},
    {16, [](size_t size) { return std::realloc(std::malloc(size / 2), size); }, by_free},
    {16, make_resized, by_free},
    {128, [](size_t size) { return std::aligned_alloc(128, size); }, by_free},
    {128, [](size_t size) { return memalign(128, size); }, by_free},
    {16, [](size_t size) { return std::realloc(memalign(128, size), size); }, by_free},
    {128, make_posix, by_free},
    {16, make_string, by_free},
    {16, make_line, by_free},
    {16, [](size_t n) { return ::operator new(n); }, [](void *b, size_t) { ::operator delete(b); }},
    {16, [](size_t n) { return ::operator new(n); },
     [](void *b, size_t n) { ::operator delete(b, n); }},
    {16, [](size_t n) { return ::operator new(n, nothrow); },
     [](void *b, size_t) { ::operator delete(b, nothrow); }},
    {16, [](size_t n) { return ::operator new[](n); },
     [](void *b, size_t) { ::operator delete[](b); }},
    {16, [](size_t n) { return ::operator new[](n); },
     [](void *b, size_t n) { ::operator delete[](b, n); }},
    {16, [](size_t n) { return ::operator new[](n, nothrow); },
     [](void *b, size_t) { ::operator delete[](b, nothrow); }},
    {128, [](size_t n) { return ::operator new(n, to); },
     [](void *b, size_t) { ::operator delete(b, to); }},
    {128, [](size_t n) { return ::operator new(n, to); },
     [](void *b, size_t n) { ::operator delete(b, n, to); }},
    {128, [](size_t n) { return ::operator new(n, to, nothrow); },
     [](void *b, size_t) { ::operator delete(b, to, nothrow); }},
    {128, [](size_t n) { return ::operator new[](n, to); },
     [](void *b, size_t) { ::operator delete[](b, to); }},
    {128, [](size_t n) { return ::operator new[](n, to); },
     [](void *b, size_t n) { ::operator delete[](b, n, to); }},
    {128, [](size_t n) { return ::operator new[](n, to, nothrow); },
     [](void *b, size_t) { ::operator delete[](b, to, nothrow); }},
};

constexpr size_t count = sizeof ways / sizeof *ways;
constexpr size_t sizes[] = {128, 1024, 4096, 35200};

struct left {
    void *block;
    size_t size;
};

left table[count];
std::mutex lock;

/* The chunk that the last exchange returned has no next owner. */
void hand_over(size_t number, void *block, size_t size)
{
    left other{};
    {
        const std::lock_guard<std::mutex> guard(lock);
        other = table[number];
        table[number] = left{block, size};
    }
    if (other.block == nullptr)
        return;
    const auto *bytes = static_cast<unsigned char *>(other.block);
    for (size_t n = 0; n < other.size; n++)
        REQUIRE(bytes[n] == static_cast<unsigned char>(number + 1),
                "way %zu: byte %zu of %zu changed", number, n, other.size);
    ways[number].destroy(other.block, other.size);
}

void work(size_t rounds)
{
    for (size_t round = 0; round < rounds; round++)
        for (size_t number = 0; number < count; number++) {
            const size_t size = sizes[(round + number) % (sizeof sizes / sizeof *sizes)];
            void *block = ways[number].make(size);
            REQUIRE(block != nullptr, "way %zu of %zu: no memory", number, size);
            REQUIRE(reinterpret_cast<std::uintptr_t>(block) % ways[number].align == 0,
                    "way %zu of %zu: not aligned", number, size);
            std::memset(block, static_cast<int>(number + 1), size);
            hand_over(number, block, size);
        }
}

} // namespace

int main()
{
    std::thread threads[4];
    for (std::thread &thread : threads)
        thread = std::thread(work, 200);
    for (std::thread &thread : threads)
        thread.join();
    for (size_t number = 0; number < count; number++)
        hand_over(number, nullptr, 0);
    return 0;
}
