// Allocates from places that test_profile.py and test_top.py know, and does what its input says:
// "grow", "free", "quit". It answers each line with "ok".
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <unistd.h>

#define FUNCTION extern "C" __attribute__((noinline)) void
// Keeps the compiler from making a call the last thing that a function does, which has no frame.
#define STAY asm volatile("" ::: "memory")

struct node {
    node *next;
    char text[40];
};
static node *list;
static void *kept;

extern "C" void make_list(int count), churn(int count), make_big(), drop_list();

FUNCTION make_list(int count)
{
    for (int i = 0; i < count; i++) {
        node *made = static_cast<node *>(malloc(sizeof(node)));

        made->next = list;
        list = made;
    }
    STAY;
}

FUNCTION churn(int count)
{
    for (int i = 0; i < count; i++) {
        void *chunk = malloc(1000);

        asm volatile("" : "+r"(chunk));
        free(chunk);
    }
    STAY;
}

static inline __attribute__((always_inline)) void *inner_big()
{
    void *chunk = malloc(8 << 20); // BIG
    STAY;
    return chunk;
}

FUNCTION make_big()
{
    kept = inner_big();
    free(inner_big());
    STAY;
}

FUNCTION drop_list()
{
    while (list != nullptr) {
        node *next = list->next;

        free(list);
        list = next;
    }
    STAY;
}

static void *thread_main(void *ready)
{
    make_list(3000);
    pthread_barrier_wait(static_cast<pthread_barrier_t *>(ready));
    pause();
    return nullptr;
}

int main()
{
    pthread_barrier_t ready;
    pthread_t thread;
    char line[64];

    /* The C library must not allocate a buffer at the first line. */
    std::setvbuf(stdin, nullptr, _IONBF, 0);
    make_list(20000);
    churn(5000);
    make_big();
    pthread_barrier_init(&ready, nullptr, 2);
    pthread_create(&thread, nullptr, thread_main, &ready);
    pthread_setname_np(thread, "helper");
    pthread_barrier_wait(&ready);
    do {
        std::printf("ok\n");
        std::fflush(stdout);
        if (std::fgets(line, sizeof line, stdin) == nullptr)
            break;
        if (std::strcmp(line, "grow\n") == 0)
            make_list(10000);
        else if (std::strcmp(line, "free\n") == 0)
            drop_list();
    } while (std::strcmp(line, "quit\n") != 0);
    _exit(0);
}
