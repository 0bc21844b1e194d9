/*
 * The mailbox: requests are answered in slow calls, a text is taken as a whole, and another process
 * can write there.
 */
#include "unit/unit.h"

#include "base/control.h"
#include "base/modes.h"
#include "debug/mode_switch.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Writes a request as another process does, and makes the call that answers it. */
static void request(const char *text)
{
    uint64_t old = atomic_load(&control.request);

    memcpy(control.text, text, strlen(text) + 1);
    atomic_store(&control.request, ((old >> 32) + 1) << 32 | control_hash(text));
    ft_malloc_trim(0);
}

static void check_answer(const char *text, int error, const char *answer)
{
    request(text);
    REQUIRE(atomic_load(&control.answered) == atomic_load(&control.request), "no answer");
    REQUIRE(control.error == error && strcmp(control.answer, answer) == 0, "%s: %d %s", text,
            control.error, control.answer);
}

static void answer_requests(void *unused)
{
    (void)unused;
    control_serve = mode_serve;
    check_answer("FT_MALLOC_STATS=1", 0, "1");
    REQUIRE(mode_is_on(MODE_STATS), "off");
    check_answer("stats", 0, "1");
    check_answer("stats=0", 0, "0");
    check_answer("harden=1", EPERM,
                 "option FT_MALLOC_HARDEN cannot be changed: "
                 "the chunks that exist have canaries, or have none");
    check_answer("profil=1", EINVAL, "option profil is not known, did you mean FT_MALLOC_PROFILE?");
    check_answer("", EINVAL, "option  is not known");
    check_answer("=", EINVAL, "option  is not known");
}

static void test_requests_are_answered_in_slow_calls(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(answer_requests, NULL));
}

static void half_a_request(void *unused)
{
    (void)unused;
    control_serve = mode_serve;
    (void)strcpy(control.text, "sta");
    atomic_store(&control.request, UINT64_C(1) << 32 | control_hash("stats=1"));
    ft_malloc_trim(0);
    REQUIRE(atomic_load(&control.answered) == 0 && !mode_is_on(MODE_STATS), "half was taken");
    (void)strcpy(control.text, "stats=1");
    ft_malloc_trim(0);
    REQUIRE(atomic_load(&control.answered) != 0 && mode_is_on(MODE_STATS), "not taken");
}

static void test_a_text_is_taken_as_a_whole(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(half_a_request, NULL));
}

/* Until the other process tells it to end, by a value of FT_MALLOC_FAIL. */
static void serve_others(void *unused)
{
    (void)unused;
    control_serve = mode_serve;
    while (mode_number(MODE_FAIL, 0) != 77)
        ft_free(ft_malloc(1 << 20));
    REQUIRE(mode_number(MODE_LIMIT, 0) == 123456789, "the first request was lost");
}

static bool write_to(pid_t pid, void *to, const void *from, size_t size)
{
    struct iovec local = {(void *)from, size}, remote = {to, size};

    return process_vm_writev(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static bool tell(pid_t pid, uint64_t number, const char *text)
{
    uint64_t value = number << 32 | control_hash(text);

    return write_to(pid, control.text, text, strlen(text) + 1) &&
           write_to(pid, &control.request, &value, sizeof value);
}

/* Waits for the answer. */
static bool ask(pid_t pid, uint64_t number, const char *text)
{
    uint64_t value = number << 32 | control_hash(text), answered = 0;
    struct iovec local = {&answered, sizeof answered};
    struct iovec remote = {&control.answered, sizeof answered};

    if (!tell(pid, number, text))
        return false;
    while (answered != value)
        if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof answered)
            return false;
    return true;
}

static void test_another_process_sets_options(void **state)
{
    (void)state;
    pid_t pid = fork();
    int status;
    bool asked;

    assert_true(pid >= 0);
    if (pid == 0) {
        serve_others(NULL);
        _exit(0);
    }
    asked = ask(pid, 1, "limit=123456789") && ask(pid, 2, "check=1000") && tell(pid, 3, "fail=77");
    if (!asked && (errno == EPERM || errno == ENOSYS)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        skip(); /* the sandbox forbids it */
    }
    assert_true(asked);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_answered_in_slow_calls),
        cmocka_unit_test(test_a_text_is_taken_as_a_whole),
        cmocka_unit_test(test_another_process_sets_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
