/*
 * All forms of operator new and delete where some are replaced. Each form has to reach the
 * replacement that the standard builds it on, and no other.
 */
#include "cxx/replacements.h"

#include "support/require.h"

#include <cstdint>
#include <cstring>
#include <new>

namespace
{

using std::align_val_t;
using std::nothrow;
using std::size_t;

constexpr align_val_t to{64};

struct form {
    bool array;
    bool aligned;
    bool may_throw;
    void *(*make)(size_t size);
};

struct ending {
    bool array;
    bool aligned;
    void (*destroy)(void *block, size_t size);
};

const form forms[] = {
    {false, false, true, [](size_t size) { return ::operator new(size); }},
    {false, false, false, [](size_t size) { return ::operator new(size, nothrow); }},
    {true, false, true, [](size_t size) { return ::operator new[](size); }},
    {true, false, false, [](size_t size) { return ::operator new[](size, nothrow); }},
    {false, true, true, [](size_t size) { return ::operator new(size, to); }},
    {false, true, false, [](size_t size) { return ::operator new(size, to, nothrow); }},
    {true, true, true, [](size_t size) { return ::operator new[](size, to); }},
    {true, true, false, [](size_t size) { return ::operator new[](size, to, nothrow); }},
};

const ending endings[] = {
    {false, false, [](void *block, size_t) { ::operator delete(block); }},
    {false, false, [](void *block, size_t size) { ::operator delete(block, size); }},
    {false, false, [](void *block, size_t) { ::operator delete(block, nothrow); }},
    {true, false, [](void *block, size_t) { ::operator delete[](block); }},
    {true, false, [](void *block, size_t size) { ::operator delete[](block, size); }},
    {true, false, [](void *block, size_t) { ::operator delete[](block, nothrow); }},
    {false, true, [](void *block, size_t) { ::operator delete(block, to); }},
    {false, true, [](void *block, size_t size) { ::operator delete(block, size, to); }},
    {false, true, [](void *block, size_t) { ::operator delete(block, to, nothrow); }},
    {true, true, [](void *block, size_t) { ::operator delete[](block, to); }},
    {true, true, [](void *block, size_t size) { ::operator delete[](block, size, to); }},
    {true, true, [](void *block, size_t) { ::operator delete[](block, to, nothrow); }},
};

/* The replacement that a form ends in, or -1 for none. */
int expected(bool array, bool aligned)
{
    const int first = aligned ? 2 : 0;
    if (array && (replaced >> (first + 1) & 1))
        return first + 1;
    return replaced >> first & 1 ? first : -1;
}

struct snapshot {
    replacement all[4]; // NOLINT: a plain copy of what everybody sees

    snapshot()
    {
        std::memcpy(all, replacements, sizeof all);
    }
};

void check_pair(size_t make, size_t destroy, size_t size)
{
    const int number = expected(forms[make].array, forms[make].aligned);
    const snapshot before;
    void *block = forms[make].make(size);
    REQUIRE(block != nullptr, "new %zu returns NULL", make);
    for (int i = 0; i < 4; i++)
        REQUIRE(replacements[i].made - before.all[i].made == (i == number),
                "new %zu of %zu: calls of %d", make, size, i);
    std::memset(block, 1, size);
    endings[destroy].destroy(block, size);
    for (int i = 0; i < 4; i++)
        REQUIRE(replacements[i].live == before.all[i].live,
                "new %zu, delete %zu of %zu: live of %d", make, destroy, size, i);
}

/*
 * Done twice, because chunks that are in the thread's stacks after the first time must not be
 * handed out past a replacement.
 */
void check_pairs()
{
    static const size_t sizes[] = {1, 40, 64, 960, 961, 5000, 262144, 300032};
    for (int round = 0; round < 3; round++)
        for (size_t make = 0; make < sizeof forms / sizeof *forms; make++)
            for (size_t destroy = 0; destroy < sizeof endings / sizeof *endings; destroy++)
                for (size_t size : sizes)
                    if (forms[make].array == endings[destroy].array &&
                        forms[make].aligned == endings[destroy].aligned)
                        check_pair(make, destroy,
                                   forms[make].aligned ? (size + 63) / 64 * 64 : size);
}

/* An exception of a replacement reaches the caller, or becomes NULL. */
void check_refusals()
{
    for (const form &form : forms) {
        bool thrown = false;
        void *block = nullptr;
        try {
            block = form.make(SIZE_MAX / 2);
        } catch (const std::bad_alloc &) {
            thrown = true;
        }
        REQUIRE(block == nullptr && thrown == form.may_throw, "form %zu",
                static_cast<size_t>(&form - forms));
    }
}

void check_null()
{
    const snapshot before;
    for (const ending &ending : endings)
        ending.destroy(nullptr, 0);
    for (int i = 0; i < 4; i++)
        REQUIRE(replacements[i].live == before.all[i].live, "a delete of NULL counts");
}

} // namespace

int main()
{
    check_pairs();
    check_refusals();
    check_null();
    return 0;
}
