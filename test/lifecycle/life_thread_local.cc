/*
 * thread_local objects whose destructors allocate and free, in many threads and in the main thread.
 */
#include "support/require.h"

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace
{

std::atomic<unsigned> destroyed{0};

class Keeper
{
  public:
    Keeper() : text_(new std::string(1000, 'k'))
    {
    }

    Keeper(const Keeper &) = delete;
    Keeper &operator=(const Keeper &) = delete;

    ~Keeper()
    {
        std::vector<std::string> more;
        for (std::size_t n = 0; n < 50; n++)
            more.emplace_back(n * 37, 'm');
        REQUIRE(text_->size() == 1000 + uses_ && text_->front() == 'k',
                "a thread_local object was changed");
        text_ = std::make_unique<std::string>(500000, 'z');
        destroyed++;
    }

    void use()
    {
        text_->push_back('u');
        uses_++;
    }

  private:
    std::unique_ptr<std::string> text_;
    std::size_t uses_ = 0;
};

thread_local Keeper keeper;
thread_local std::vector<std::unique_ptr<Keeper>> keepers;

void work()
{
    for (unsigned n = 0; n < 200; n++)
        keeper.use();
    for (unsigned n = 0; n < 5; n++) {
        keepers.push_back(std::make_unique<Keeper>());
        keepers.back()->use();
    }
}

} // namespace

int main()
{
    work();
    for (unsigned wave = 0; wave < 30; wave++) {
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < 6; t++)
            threads.emplace_back(work);
        for (auto &thread : threads)
            thread.join();
    }
    REQUIRE(destroyed == 30 * 6 * 6, "%u objects were destroyed", destroyed.load());
    std::printf("%u objects destroyed with their threads\n", destroyed.load());
    return 0;
}
