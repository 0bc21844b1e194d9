#include "cxx/replacements.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

extern "C" {
struct replacement replacements[4];
extern const int replaced = REPLACE;
}

namespace
{

struct header {
    std::size_t offset;
    std::size_t mark;
};

[[maybe_unused]] constexpr std::size_t mark_of(int form)
{
    return 0xabcdef00 + static_cast<std::size_t>(form);
}

/* The exception is the program's own, too. */
[[maybe_unused]] void *make(int form, std::size_t size, std::size_t align)
{
    if (size > PTRDIFF_MAX / 2)
        throw std::bad_alloc();
    replacements[form].made++;
    replacements[form].live++;
#ifdef HEADER
    const std::size_t offset = align > sizeof(header) ? align : sizeof(header);
    auto *start =
        static_cast<char *>(std::aligned_alloc(offset, (size + 2 * offset - 1) / offset * offset));
    if (start == nullptr)
        throw std::bad_alloc();
    *reinterpret_cast<header *>(start + offset - sizeof(header)) = {offset, mark_of(form)};
    return start + offset;
#else
    void *start = align == 0 ? std::malloc(size) : std::aligned_alloc(align, size);
    if (start == nullptr)
        throw std::bad_alloc();
    return start;
#endif
}

[[maybe_unused]] void destroy(int form, void *block)
{
    if (block == nullptr)
        return;
    replacements[form].live--;
#ifdef HEADER
    auto *found = static_cast<header *>(block) - 1;
    if (found->mark != mark_of(form)) {
        std::fprintf(stderr, "a replaced delete got what its new did not give\n");
        std::_Exit(3);
    }
    found->mark = 0;
    std::free(static_cast<char *>(block) - found->offset);
#else
    std::free(block);
#endif
}

} // namespace

#if REPLACE & REPLACES_NEW
void *operator new(std::size_t size)
{
    return make(0, size, 0);
}

void operator delete(void *block) noexcept
{
    destroy(0, block);
}
#endif

#if REPLACE & REPLACES_ARRAY
void *operator new[](std::size_t size)
{
    return make(1, size, 0);
}

void operator delete[](void *block) noexcept
{
    destroy(1, block);
}
#endif

#if REPLACE & REPLACES_ALIGNED
void *operator new(std::size_t size, std::align_val_t align)
{
    return make(2, size, static_cast<std::size_t>(align));
}

void operator delete(void *block, std::align_val_t) noexcept
{
    destroy(2, block);
}
#endif

#if REPLACE & REPLACES_ARRAY_ALIGNED
void *operator new[](std::size_t size, std::align_val_t align)
{
    return make(3, size, static_cast<std::size_t>(align));
}

void operator delete[](void *block, std::align_val_t) noexcept
{
    destroy(3, block);
}
#endif
