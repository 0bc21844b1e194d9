// Prints an address in a function that is inlined into another, and one in a plain C function; then
// sleeps until its input ends. test_symbols.py knows the line numbers.
#include <cstdio>

extern "C" void *where();
extern "C" __attribute__((noinline)) void *where()
{
    return __builtin_return_address(0);
}

namespace shop
{
template <class T> struct Shelf {
    static inline __attribute__((always_inline)) void *inner()
    {
        void *address = where(); // INNER
        asm volatile("" : "+r"(address));
        return address;
    }
};

__attribute__((noinline)) void *outer(int)
{
    void *address = Shelf<long>::inner(); // OUTER
    asm volatile("" : "+r"(address));
    return address;
}
} // namespace shop

int main()
{
    std::printf("%p %p\n", shop::outer(1), reinterpret_cast<void *>(&where));
    std::fflush(stdout);
    return std::getchar() == EOF ? 0 : 1;
}
