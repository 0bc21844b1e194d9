/*
 * Cases of C++: pointers that compilers and libraries keep into the middle of what they allocate.
 */
#include "leak_case.h"

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{

void *volatile global;
void *volatile globals[16];

/* Has a destructor, so that new[] stores the number of elements in front of them. */
struct counted {
    // NOLINTNEXTLINE: plain data with a destructor
    void *held = nullptr;
    // NOLINTNEXTLINE: plain data with a destructor
    char rest[40];

    APART ~counted()
    {
        keep(held);
    }
};

struct plain {
    void *held;
    char rest[40];
};

APART void hold_array()
{
    counted *array = new counted[7];

    array[6].held = make(203);
    global = array;
}

void an_array_of_objects()
{
    hold_array();
    expect("reachable", 8 + 7 * sizeof(counted), 1);
    expect("reachable", 203, 1);
    checkpoint();
}

APART void lose_arrays()
{
    counted *array = new counted[7];
    plain *other = new plain[5]();

    array[6].held = make(203);
    other[0].held = make(105);
    keep(array);
    keep(other);
}

void arrays_are_lost()
{
    lose_arrays();
    expect("definite", 8 + 7 * sizeof(counted), 1);
    expect("definite", 5 * sizeof(plain), 1);
    expect("indirect", 203, 1);
    expect("indirect", 105, 1);
    checkpoint();
}

struct base_one {
    // NOLINTNEXTLINE: plain data with a destructor
    long one[13];
    virtual APART ~base_one()
    {
        keep(this);
    }
};

struct base_two {
    // NOLINTNEXTLINE: plain data with a destructor
    void *two;
    virtual APART ~base_two()
    {
        keep(this);
    }
};

struct both : base_one, base_two {
    long more[9];
};

APART void hold_second_base()
{
    both *object = new both;

    object->two = make(203);
    global = static_cast<base_two *>(object);
}

void a_pointer_to_the_second_base()
{
    hold_second_base();
    expect("reachable", sizeof(both), 1);
    expect("reachable", 203, 1);
    checkpoint();
}

APART void hold_string()
{
    global = new std::string(1302, 'x');
}

void a_string()
{
    hold_string();
    expect("reachable", 1303, 1);
    checkpoint();
}

APART void lose_string()
{
    keep(new std::string(1302, 'x'));
}

void a_string_is_lost()
{
    lose_string();
    expect("definite", sizeof(std::string), 1);
    expect("indirect", 1303, 1);
    checkpoint();
}

/* As libstdc++ kept strings before C++11, and still does if asked to. */
APART void hold_old_string()
{
    auto *string = static_cast<std::uint64_t *>(make(3 * 8 + 102 + 1));

    string[0] = 100;
    string[1] = 102;
    std::memset(string + 3, 'x', 100);
    global = string + 3;
}

void a_string_of_the_old_kind()
{
    hold_old_string();
    expect("reachable", 3 * 8 + 102 + 1, 1);
    checkpoint();
}

struct linked {
    std::shared_ptr<linked> next;
    char rest[200];
};

/* What make_shared() allocates: the object, and in front of it a table and two counters. */
enum { SHARED = sizeof(linked) + 16 };

APART void hold_shared()
{
    auto first = std::make_shared<linked>();

    first->next = std::make_shared<linked>();
    global = new std::shared_ptr<linked>(first);
}

void shared_pointers()
{
    hold_shared();
    expect("reachable", SHARED, 2);
    checkpoint();
}

APART void lose_shared_ring()
{
    auto first = std::make_shared<linked>();

    first->next = std::make_shared<linked>();
    first->next->next = first;
}

void a_ring_of_shared_pointers_is_lost()
{
    lose_shared_ring();
    expect("definite", SHARED, 1);
    expect("indirect", SHARED, 1);
    checkpoint();
}

APART void hold_containers()
{
    auto *numbers = new std::map<int, plain>;
    auto *names = new std::unordered_map<int, counted>;
    auto *list = new std::vector<std::unique_ptr<char[]>>;

    for (int i = 0; i < 10; i++) {
        (*numbers)[i].held = make(203);
        (*names)[i].held = make(105);
        list->emplace_back(new char[57]);
    }
    globals[0] = numbers;
    globals[1] = names;
    globals[2] = list;
}

void containers()
{
    hold_containers();
    expect("reachable", 203, 10);
    expect("reachable", 105, 10);
    expect("reachable", 57, 10);
    checkpoint();
}

APART void lose_map()
{
    auto *numbers = new std::map<int, plain>;

    for (int i = 0; i < 10; i++)
        (*numbers)[i].held = make(203);
    keep(numbers);
}

void a_map_is_lost()
{
    lose_map();
    expect("definite", sizeof(std::map<int, plain>), 1);
    expect("indirect", 203, 10);
    checkpoint();
}

APART void hold_empty_array(volatile std::size_t none)
{
    global = new counted[none];
}

void an_array_of_no_objects()
{
    hold_empty_array(0);
    expect("reachable", 8, 1);
    checkpoint();
}

} // namespace

extern "C" const struct leak_case leak_cases_cxx[] = {
    {"an_array_of_objects", an_array_of_objects},
    {"arrays_are_lost", arrays_are_lost},
    {"a_pointer_to_the_second_base", a_pointer_to_the_second_base},
    {"a_string", a_string},
    {"a_string_is_lost", a_string_is_lost},
    {"a_string_of_the_old_kind", a_string_of_the_old_kind},
    {"shared_pointers", shared_pointers},
    {"a_ring_of_shared_pointers_is_lost", a_ring_of_shared_pointers_is_lost},
    {"containers", containers},
    {"a_map_is_lost", a_map_is_lost},
    {"an_array_of_no_objects", an_array_of_no_objects},
    {nullptr, nullptr},
};
