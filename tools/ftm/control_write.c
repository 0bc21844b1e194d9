/*
 * The writer's side of the mailbox.
 */
#include "control_write.h"

#include "command.h"
#include "os/os.h"
#include "source.h"
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_EVERY = 5, LOOKS_PER_SECOND = 1000 / LOOK_EVERY };

static void sleep_shortly(void)
{
    const struct timespec time = {0, LOOK_EVERY * 1000000};

    (void)nanosleep(&time, NULL);
}

/*
 * Those who write to one mailbox take turns: each binds the same abstract name, which only one can
 * have, and which is free again when its process ends, however it ends. Returns -1 if somebody else
 * has had it all the while.
 */
static int take_turn(pid_t pid, uint64_t seconds)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int length =
        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "ftm-set-%d", (int)pid);

    for (uint64_t looks = 0; fd >= 0; looks++) {
        if (bind(fd, (const struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0)
            return fd;
        if (errno != EADDRINUSE || looks >= seconds * LOOKS_PER_SECOND)
            break;
        sleep_shortly();
    }
    if (fd >= 0)
        (void)close(fd);
    say("another ftm is setting options of process %d", (int)pid);
    return -1;
}

static bool write_memory(pid_t pid, uint64_t address, const void *bytes, size_t size)
{
    struct iovec here = {.iov_base = pointer_to((uintptr_t)bytes), .iov_len = size};
    struct iovec there = {.iov_base = pointer_to(address), .iov_len = size};

    if (process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)size)
        return true;
    say_error(errno, "cannot write to process %d", (int)pid);
    return false;
}

/* What control_hash() of base/control.h returns: FNV-1a. */
static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261U;

    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619U;
    return hash;
}

static uint64_t word_at(struct source *source, uint64_t address)
{
    uint64_t word = 0;

    return source_read(source, address, &word, sizeof word) ? word : 0;
}

/* Hands over the text, and then the number that makes the process read it. */
static bool put_request(struct view *view, uint64_t box, const char *option, uint64_t *request)
{
    const struct ft_malloc_layout *layout = view_layout(view);
    struct source *source = view_source(view);
    uint64_t last = word_at(source, box + layout->control_request);

    if (last != word_at(source, box + layout->control_answered)) {
        say("process %d has not answered an earlier request yet", (int)source_pid(source));
        return false;
    }
    *request = ((last >> 32) + 1) << 32 | hash_of(option);
    return write_memory(source_pid(source), box + layout->control_text, option,
                        strlen(option) + 1) &&
           write_memory(source_pid(source), box + layout->control_request, request,
                        sizeof *request);
}

static bool get_answer(struct view *view, uint64_t box, uint64_t request, uint64_t seconds,
                       struct control_answer *answer)
{
    const struct ft_malloc_layout *layout = view_layout(view);
    struct source *source = view_source(view);
    size_t size = layout->control_answer_bytes;
    int32_t error = 0;

    for (uint64_t looks = 0; word_at(source, box + layout->control_answered) != request; looks++) {
        if (looks >= seconds * LOOKS_PER_SECOND) {
            say("process %d has not answered: it makes no calls that are slow; it will do so in "
                "the next one",
                (int)source_pid(source));
            return false;
        }
        sleep_shortly();
    }
    if (size > sizeof answer->text)
        size = sizeof answer->text;
    if (!source_read(source, box + layout->control_error, &error, sizeof error) ||
        !source_read(source, box + layout->control_answer, answer->text, size)) {
        say("process %d ended before its answer was read", (int)source_pid(source));
        return false;
    }
    answer->text[size - 1] = '\0';
    answer->error = error;
    return true;
}

bool control_write(struct view *view, const char *option, uint64_t seconds,
                   struct control_answer *answer)
{
    const struct ft_malloc_layout *layout = view_layout(view);
    struct source *source = view_source(view);
    uint64_t box = (uint64_t)(uintptr_t)layout->control, request;
    bool answered;
    int turn;

    if (source_kind(source) != SOURCE_LIVE) {
        say("%s is no process; only that can be set", source_name(source));
        return false;
    }
    if (box == 0) {
        say("process %d runs on an older library, which cannot be set", (int)source_pid(source));
        return false;
    }
    if (strlen(option) >= layout->control_text_bytes) {
        say("%.20s... is too long", option);
        return false;
    }
    turn = take_turn(source_pid(source), seconds);
    if (turn < 0)
        return false;
    answered =
        put_request(view, box, option, &request) && get_answer(view, box, request, seconds, answer);
    (void)close(turn);
    return answered;
}
