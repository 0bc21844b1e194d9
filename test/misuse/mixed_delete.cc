/*
 * Deletes of what was allocated otherwise: `mixed_delete MODE`. None of it is right, all of it is
 * common, and where the size is not used it works.
 */
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

// NOLINTBEGIN: what is wrong here is the matter of the test
namespace
{

struct trailing {
    int count;
    char data[1];
};

struct base {
    virtual void nothing()
    {
    }
    int number;
};

struct derived : base {
    char more[64];
};

/* Nobody outside sees through it, so no allocation is left out. */
template <typename T> T *seen(T *pointer)
{
    asm volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

void trailing_array_from_new()
{
    auto *made = seen(new (::operator new(sizeof(trailing) + 100)) trailing);
    delete made;
}

void trailing_array_from_malloc()
{
    auto *made = seen(new (std::malloc(sizeof(trailing) + 100)) trailing);
    delete made;
}

void no_virtual_destructor()
{
    base *made = seen<base>(new derived);
    delete made;
}

void array_as_one()
{
    char *made = seen(new char[100]);
    delete made;
}

void array_in_a_unique_ptr()
{
    const std::unique_ptr<char> holder(seen(new char[100]));
}

void array_in_a_shared_ptr()
{
    const std::shared_ptr<int> holder(seen(new int[100]));
}

void another_type()
{
    void *made = seen(new derived);
    delete static_cast<trailing *>(made);
}

} // namespace
// NOLINTEND

int main(int argc, char **argv)
{
    void (*const modes[])() = {
        trailing_array_from_new, trailing_array_from_malloc, no_virtual_destructor, array_as_one,
        array_in_a_unique_ptr,   array_in_a_shared_ptr,      another_type};
    const unsigned mode = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 0;
    if (mode >= sizeof modes / sizeof *modes)
        return 2;
    modes[mode]();
    return std::puts("ok") < 0;
}
