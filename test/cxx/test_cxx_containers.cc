/*
 * Containers of the standard library in several threads, which pass them to each other: one thread
 * fills a container, another reads and destroys it.
 */
#include "cxx/served.h"

#include "support/require.h"

#include <condition_variable>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

extern "C" {
#include <cmocka.h>
}

namespace
{

constexpr unsigned threads = 4;
constexpr unsigned messages = 400;

struct message {
    unsigned number = 0;
    std::string text;
    std::vector<unsigned> numbers;
    std::map<unsigned, std::string> words;
    std::unordered_map<std::string, unsigned> index;
    std::list<std::set<unsigned>> sets;
    std::shared_ptr<std::string> shared;
};

std::unique_ptr<message> compose(unsigned number)
{
    auto made = std::make_unique<message>();
    made->number = number;
    made->text.assign(number * 7 % 5000, static_cast<char>('a' + number % 26));
    made->numbers.resize(number % 1000);
    std::iota(made->numbers.begin(), made->numbers.end(), number);
    for (unsigned n = 0; n < number % 60; n++) {
        made->words[n] = std::string(n * 3, 'w');
        made->index[std::to_string(number + n)] = n;
    }
    for (unsigned n = 0; n < number % 9; n++)
        made->sets.push_back({n, n + 1, n + 2});
    made->shared = std::make_shared<std::string>(number % 300, 's');
    return made;
}

void verify(const message &got)
{
    auto expected = compose(got.number);
    REQUIRE(got.text == expected->text, "the text of message %u was changed", got.number);
    REQUIRE(got.numbers == expected->numbers, "the numbers of message %u were changed", got.number);
    REQUIRE(got.words == expected->words && got.index == expected->index,
            "the words of %u were changed", got.number);
    REQUIRE(got.sets == expected->sets && *got.shared == *expected->shared,
            "the sets of %u were changed", got.number);
}

class mailbox
{
  public:
    void put(std::unique_ptr<message> letter)
    {
        const std::lock_guard<std::mutex> guard(mutex_);
        letters_.push_back(std::move(letter));
        filled_.notify_one();
    }

    std::unique_ptr<message> take()
    {
        std::unique_lock<std::mutex> lock(mutex_);
        filled_.wait(lock, [this] { return !letters_.empty(); });
        auto letter = std::move(letters_.front());
        letters_.pop_front();
        return letter;
    }

  private:
    std::mutex mutex_;
    std::condition_variable filled_;
    std::deque<std::unique_ptr<message>> letters_;
};

void test_containers_travel_between_threads(void **)
{
    std::vector<mailbox> boxes(threads);
    std::vector<std::thread> workers;
    for (unsigned t = 0; t < threads; t++) {
        workers.emplace_back([t, &boxes] {
            for (unsigned n = 0; n < messages; n++) {
                boxes[(t + 1) % threads].put(compose(t * messages + n));
                verify(*boxes[t].take());
            }
        });
    }
    for (auto &worker : workers)
        worker.join();
    auto last = compose(1999);
    verify(*last);
    assert_true(
        served_by_library(last->numbers.data(), last->numbers.capacity() * sizeof(unsigned)));
}

void test_growing_vector_and_string(void **)
{
    std::vector<std::size_t> numbers;
    std::string text;
    for (std::size_t n = 0; n < 300000; n++) {
        numbers.push_back(n);
        text.push_back(static_cast<char>('a' + n % 26));
    }
    for (std::size_t n = 0; n < numbers.size(); n++)
        assert_true(numbers[n] == n && text[n] == static_cast<char>('a' + n % 26));
    assert_true(served_by_library(numbers.data(), numbers.capacity() * sizeof(std::size_t)));
}

void test_memory_resource_uses_aligned_new(void **)
{
    std::pmr::memory_resource *resource = std::pmr::new_delete_resource();
    for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        void *block = resource->allocate(1000, alignment);
        assert_int_equal(reinterpret_cast<std::uintptr_t>(block) % alignment, 0);
        assert_true(served_by_library(block, 1000));
        resource->deallocate(block, 1000, alignment);
    }
}

} // namespace

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_containers_travel_between_threads),
        cmocka_unit_test(test_growing_vector_and_string),
        cmocka_unit_test(test_memory_resource_uses_aligned_new),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
