/*
 * A program that defines malloc and no operators. The operators that it gets call its functions, as
 * libstdc++'s do.
 */
#include "support/require.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace
{

alignas(4096) unsigned char room[64 << 20];
std::size_t used;
long live;

bool in_room(const void *block)
{
    auto address = reinterpret_cast<std::uintptr_t>(block);
    return address >= reinterpret_cast<std::uintptr_t>(room) &&
           address < reinterpret_cast<std::uintptr_t>(room) + sizeof room;
}

void *take(std::size_t align, std::size_t size)
{
    const std::size_t start = (used + 16 + align - 1) / align * align;
    if (size > sizeof room || start + size > sizeof room) {
        errno = ENOMEM;
        return nullptr;
    }
    std::memcpy(room + start - sizeof size, &size, sizeof size);
    used = start + size;
    live++;
    return room + start;
}

template <typename Make, typename Destroy> void check(const char *name, Make make, Destroy destroy)
{
    static const std::size_t sizes[] = {0, 1, 40, 960, 5000, 300000};
    for (std::size_t size : sizes) {
        const long before = live;
        void *block = make(size);
        REQUIRE(in_room(block) && live == before + 1,
                "%s of %zu does not call the program's malloc", name, size);
        destroy(block, size);
        REQUIRE(live == before, "%s of %zu: delete does not call the program's free", name, size);
    }
}

using std::align_val_t;
using std::nothrow;
using std::size_t;
constexpr align_val_t to{256};

void check_all()
{
    check(
        "new", [](size_t size) { return ::operator new(size); },
        [](void *block, size_t) { ::operator delete(block); });
    check(
        "new, sized", [](size_t size) { return ::operator new(size); },
        [](void *block, size_t size) { ::operator delete(block, size); });
    check(
        "new, nothrow", [](size_t size) { return ::operator new(size, nothrow); },
        [](void *block, size_t) { ::operator delete(block, nothrow); });
    check(
        "new[]", [](size_t size) { return ::operator new[](size); },
        [](void *block, size_t) { ::operator delete[](block); });
    check(
        "new[], sized", [](size_t size) { return ::operator new[](size); },
        [](void *block, size_t size) { ::operator delete[](block, size); });
    check(
        "new[], nothrow", [](size_t size) { return ::operator new[](size, nothrow); },
        [](void *block, size_t) { ::operator delete[](block, nothrow); });
    check(
        "aligned new", [](size_t size) { return ::operator new(size, to); },
        [](void *block, size_t) { ::operator delete(block, to); });
    check(
        "aligned new, sized", [](size_t size) { return ::operator new(size, to); },
        [](void *block, size_t size) { ::operator delete(block, size, to); });
    check(
        "aligned new, nothrow", [](size_t size) { return ::operator new(size, to, nothrow); },
        [](void *block, size_t) { ::operator delete(block, to, nothrow); });
    check(
        "aligned new[]", [](size_t size) { return ::operator new[](size, to); },
        [](void *block, size_t) { ::operator delete[](block, to); });
    check(
        "aligned new[], sized", [](size_t size) { return ::operator new[](size, to); },
        [](void *block, size_t size) { ::operator delete[](block, size, to); });
    check(
        "aligned new[], nothrow", [](size_t size) { return ::operator new[](size, to, nothrow); },
        [](void *block, size_t) { ::operator delete[](block, to, nothrow); });
}

void check_no_memory()
{
    bool thrown = false;
    try {
        ::operator delete(::operator new(sizeof room));
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    REQUIRE(thrown, "new does not throw when the program's malloc returns NULL");
    REQUIRE(::operator new[](sizeof room, nothrow) == nullptr,
            "nothrow new[] does not return NULL");
    REQUIRE(::operator new(sizeof room, to, nothrow) == nullptr,
            "aligned nothrow new does not return NULL");
}

} // namespace

// NOLINTBEGIN: the names of the parameters are the program's
extern "C" {

void *malloc(std::size_t size)
{
    return take(16, size);
}

void free(void *block)
{
    if (block == nullptr)
        return;
    REQUIRE(in_room(block), "the program's free got what its malloc did not give");
    live--;
}

void *calloc(std::size_t count, std::size_t size)
{
    return take(16, count * size);
}

void *realloc(void *block, std::size_t size)
{
    std::size_t old = 0;
    void *moved = take(16, size);
    if (moved == nullptr || block == nullptr)
        return moved;
    std::memcpy(&old, static_cast<unsigned char *>(block) - sizeof old, sizeof old);
    std::memcpy(moved, block, old < size ? old : size);
    free(block);
    return moved;
}

void *aligned_alloc(std::size_t align, std::size_t size)
{
    REQUIRE(align != 0 && size % align == 0, "aligned_alloc is given a size that is no multiple");
    return take(align, size);
}

void *memalign(std::size_t align, std::size_t size)
{
    return take(align < 16 ? 16 : align, size);
}

int posix_memalign(void **block, std::size_t align, std::size_t size)
{
    *block = take(align, size);
    return *block == nullptr ? ENOMEM : 0;
}
}
// NOLINTEND

int main()
{
    check_all();
    check_no_memory();
    return 0;
}
