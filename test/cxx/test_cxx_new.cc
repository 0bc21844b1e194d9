/*
 * operator new and delete in every form (plain, array, sized, aligned, nothrow), std::bad_alloc,
 * and the new_handler.
 */
#include "cxx/served.h"

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <sys/resource.h>

extern "C" {
#include <cmocka.h>
}

namespace
{

const std::size_t sizes[] = {0, 1, 24, 512, 513, 960, 961, 5000, 262144, 262145, 1000000};

/* One form of new, with the forms of delete that fit it. */
struct form {
    void *(*make)(std::size_t size, std::align_val_t alignment);
    void (*destroy)(void *block, std::size_t size, std::align_val_t alignment);
};

using std::align_val_t;
using std::nothrow;
using std::size_t;

const form plain_forms[] = {
    {[](size_t size, align_val_t) { return ::operator new(size); },
     [](void *block, size_t, align_val_t) { ::operator delete(block); }},
    {[](size_t size, align_val_t) { return ::operator new(size); },
     [](void *block, size_t size, align_val_t) { ::operator delete(block, size); }},
    {[](size_t size, align_val_t) { return ::operator new[](size); },
     [](void *block, size_t, align_val_t) { ::operator delete[](block); }},
    {[](size_t size, align_val_t) { return ::operator new[](size); },
     [](void *block, size_t size, align_val_t) { ::operator delete[](block, size); }},
    {[](size_t size, align_val_t) { return ::operator new(size, nothrow); },
     [](void *block, size_t, align_val_t) { ::operator delete(block, nothrow); }},
    {[](size_t size, align_val_t) { return ::operator new[](size, nothrow); },
     [](void *block, size_t, align_val_t) { ::operator delete[](block, nothrow); }},
};

const form aligned_forms[] = {
    {[](size_t size, align_val_t to) { return ::operator new(size, to); },
     [](void *block, size_t, align_val_t to) { ::operator delete(block, to); }},
    {[](size_t size, align_val_t to) { return ::operator new(size, to); },
     [](void *block, size_t size, align_val_t to) { ::operator delete(block, size, to); }},
    {[](size_t size, align_val_t to) { return ::operator new[](size, to); },
     [](void *block, size_t, align_val_t to) { ::operator delete[](block, to); }},
    {[](size_t size, align_val_t to) { return ::operator new[](size, to); },
     [](void *block, size_t size, align_val_t to) { ::operator delete[](block, size, to); }},
    {[](size_t size, align_val_t to) { return ::operator new(size, to, nothrow); },
     [](void *block, size_t, align_val_t to) { ::operator delete(block, to, nothrow); }},
    {[](size_t size, align_val_t to) { return ::operator new[](size, to, nothrow); },
     [](void *block, size_t, align_val_t to) { ::operator delete[](block, to, nothrow); }},
};

/* The nothrow forms are the last two of each table. */
bool is_nothrow(size_t index)
{
    return index >= 4;
}

void check_form(const form &form, size_t size, align_val_t alignment)
{
    void *first = form.make(size, alignment);
    void *second = form.make(size, alignment);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    assert_int_equal(reinterpret_cast<std::uintptr_t>(first) % static_cast<size_t>(alignment), 0);
    assert_true(served_by_library(first, size));
    std::memset(first, 1, size);
    std::memset(second, 2, size);
    form.destroy(first, size, alignment);
    form.destroy(second, size, alignment);
}

void test_plain_forms(void **)
{
    for (const form &form : plain_forms)
        for (size_t size : sizes)
            check_form(form, size, align_val_t{16});
}

void test_aligned_forms(void **)
{
    for (const form &form : aligned_forms)
        for (size_t size : sizes)
            for (size_t alignment = 8; alignment <= size_t{1} << 21; alignment *= 8)
                check_form(form, size, align_val_t{alignment});
}

void test_delete_of_null(void **)
{
    for (const form &form : plain_forms)
        form.destroy(nullptr, 0, align_val_t{16});
    for (const form &form : aligned_forms)
        form.destroy(nullptr, 0, align_val_t{64});
    void *block = ::operator new(42);
    assert_true(served_by_library(block, 42));
    ::operator delete(block);
}

struct alignas(256) overaligned {
    unsigned char bytes[300];
};

void test_new_expressions(void **)
{
    auto *number = new long(7);
    assert_true(served_by_library(number, sizeof *number));
    assert_int_equal(*number, 7);
    delete number;
    auto *one = new overaligned;
    auto *many = new overaligned[5];
    assert_true(served_by_library(one, sizeof *one));
    assert_int_equal(reinterpret_cast<std::uintptr_t>(one) % 256, 0);
    assert_int_equal(reinterpret_cast<std::uintptr_t>(many) % 256, 0);
    delete one;
    delete[] many;
}

bool throws_bad_alloc(const form &form, size_t size, align_val_t alignment)
{
    try {
        form.destroy(form.make(size, alignment), size, alignment);
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

void check_refusal(const form &form, bool nothrow_form, size_t size, align_val_t alignment)
{
    if (nothrow_form)
        assert_null(form.make(size, alignment));
    else
        assert_true(throws_bad_alloc(form, size, alignment));
}

void test_absurd_sizes(void **)
{
    static const size_t absurd[] = {SIZE_MAX, SIZE_MAX - 4096, size_t{PTRDIFF_MAX} + 1,
                                    PTRDIFF_MAX};
    for (size_t size : absurd) {
        for (size_t i = 0; i < 6; i++) {
            check_refusal(plain_forms[i], is_nothrow(i), size, align_val_t{16});
            check_refusal(aligned_forms[i], is_nothrow(i), size, align_val_t{64});
        }
    }
}

int handler_calls;

void give_up_at_third_call()
{
    if (++handler_calls == 3)
        std::set_new_handler(nullptr);
}

void test_handler_is_called_until_there_is_none(void **)
{
    for (size_t i = 0; i < 6; i++) {
        handler_calls = 0;
        std::set_new_handler(give_up_at_third_call);
        check_refusal(plain_forms[i], is_nothrow(i), PTRDIFF_MAX, align_val_t{16});
        assert_int_equal(handler_calls, 3);
        handler_calls = 0;
        std::set_new_handler(give_up_at_third_call);
        check_refusal(aligned_forms[i], is_nothrow(i), PTRDIFF_MAX, align_val_t{64});
        assert_int_equal(handler_calls, 3);
    }
}

void throw_bad_alloc()
{
    handler_calls++;
    throw std::bad_alloc();
}

void test_handler_that_throws_bad_alloc(void **)
{
    std::set_new_handler(throw_bad_alloc);
    for (size_t i = 0; i < 6; i++) {
        handler_calls = 0;
        check_refusal(plain_forms[i], is_nothrow(i), PTRDIFF_MAX, align_val_t{16});
        check_refusal(aligned_forms[i], is_nothrow(i), PTRDIFF_MAX, align_val_t{64});
        assert_int_equal(handler_calls, 2);
    }
    std::set_new_handler(nullptr);
}

struct out_of_memory_error : std::bad_alloc {
    int mark = 77;
};

void throw_own_error()
{
    throw out_of_memory_error();
}

void test_own_error_of_a_handler_reaches_the_caller(void **)
{
    int mark = 0;
    std::set_new_handler(throw_own_error);
    try {
        plain_forms[0].destroy(plain_forms[0].make(PTRDIFF_MAX, align_val_t{16}), 0,
                               align_val_t{16});
    } catch (const out_of_memory_error &error) {
        mark = error.mark;
    }
    std::set_new_handler(nullptr);
    assert_int_equal(mark, 77);
}

void set_address_space(rlim_t limit)
{
    struct rlimit both = {};
    assert_int_equal(getrlimit(RLIMIT_AS, &both), 0);
    both.rlim_cur = limit < both.rlim_max ? limit : both.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_AS, &both), 0);
}

void raise_limit()
{
    handler_calls++;
    set_address_space(RLIM_INFINITY);
}

/* The request fails at first. The handler makes room, and the request is tried again. */
void test_handler_that_makes_room(void **)
{
    const size_t size = size_t{1} << 30;
    handler_calls = 0;
    std::set_new_handler(raise_limit);
    for (size_t i = 0; i < 6; i++) {
        set_address_space(size_t{512} << 20);
        void *block = plain_forms[i].make(size, align_val_t{16});
        assert_true(served_by_library(block, size));
        plain_forms[i].destroy(block, size, align_val_t{16});
        assert_int_equal(handler_calls, i + 1);
    }
    std::set_new_handler(nullptr);
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_forms),
        cmocka_unit_test(test_aligned_forms),
        cmocka_unit_test(test_delete_of_null),
        cmocka_unit_test(test_new_expressions),
        cmocka_unit_test(test_absurd_sizes),
        cmocka_unit_test(test_handler_is_called_until_there_is_none),
        cmocka_unit_test(test_handler_that_throws_bad_alloc),
        cmocka_unit_test(test_own_error_of_a_handler_reaches_the_caller),
        cmocka_unit_test(test_handler_that_makes_room),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
