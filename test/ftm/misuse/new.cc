/*
 * Mistakes with operator new and delete.
 */
#include <cstdlib>
#include <cstring>
#include <new>

extern "C" {
#include "programs.h"
}

namespace
{

struct Sixteen {
    char bytes[16];
};

bool delete_twice()
{
    auto *chunk = static_cast<Sixteen *>(opaque(new Sixteen));

    ::operator delete(chunk);
    ::operator delete(opaque(chunk));
    return false;
}

bool delete_array_twice()
{
    auto *chunk = static_cast<char *>(opaque(new char[100]));

    ::operator delete[](chunk);
    ::operator delete[](opaque(chunk));
    return false;
}

bool delete_then_free()
{
    void *chunk = opaque(::operator new(50));

    ::operator delete(chunk);
    std::free(opaque(chunk));
    return false;
}

bool delete_of_wrong_size()
{
    ::operator delete(opaque(::operator new(16)), opaque_size(17));
    return false;
}

bool delete_of_wrong_alignment()
{
    ::operator delete(opaque(::operator new(24)), std::align_val_t(65536));
    return false;
}

bool delete_of_local()
{
    Sixteen local;

    ::operator delete(opaque(&local));
    return false;
}

bool delete_of_element()
{
    auto *chunk = static_cast<char *>(opaque(new char[100]));

    ::operator delete[](opaque(chunk + 16));
    return false;
}

bool new_of_minus_one()
{
    try {
        (void)opaque(::operator new(opaque_size(static_cast<size_t>(-1))));
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

bool overflow_of_new()
{
    std::memset(opaque(new Sixteen), 0, opaque_size(17));
    return false;
}

const struct program table[] = {
    {"delete_twice", delete_twice, REPORTED, "double free of"},
    {"delete_array_twice", delete_array_twice, REPORTED, "double free of"},
    {"delete_then_free", delete_then_free, REPORTED, "free\\(\\): double free of"},
    {"delete_of_wrong_size", delete_of_wrong_size, REPORTED, "wrong size 17 for"},
    {"delete_of_wrong_alignment", delete_of_wrong_alignment, REPORTED, "wrong alignment 65536"},
    {"delete_of_local", delete_of_local, REPORTED, "not from this allocator"},
    {"delete_of_element", delete_of_element, REPORTED, "inside the chunk"},
    {"new_of_minus_one", new_of_minus_one, HARMLESS, nullptr},
    {"overflow_of_new", overflow_of_new, REPORTED, "memset\\(\\): writes 1 byte past"},
};

} // namespace

extern "C" {
PROGRAMS(new, "new");
}
