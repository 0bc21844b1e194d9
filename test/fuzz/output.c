/*
 * The library's messages and listings. The linker redirects all calls of write() to this file
 * (--wrap), so capturing takes no system call. Messages of the library are always captured,
 * recognised by how they begin; those of a failed requirement or of a sanitizer still reach the
 * terminal.
 */
#include "fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

enum { OUTPUT_MAX = 512 << 10 };

static char texts[2][OUTPUT_MAX];
static size_t lengths[2];
static bool listening;

ssize_t __real_write(int descriptor, const void *text, size_t length);
ssize_t __wrap_write(int descriptor, const void *text, size_t length);

/* Captures what is written to descriptor 1 after output_listen(), and messages on descriptor 2. */
static bool caught(int descriptor, const void *text, size_t length)
{
    static const char message[] = "ft_malloc:";

    if (descriptor == STDERR_FILENO)
        return length >= sizeof message && memcmp(text, message, sizeof message - 1) == 0;
    return listening && descriptor == STDOUT_FILENO;
}

ssize_t __wrap_write(int descriptor, const void *text, size_t length)
{
    size_t *at = &lengths[descriptor == STDERR_FILENO];

    if (!caught(descriptor, text, length))
        return __real_write(descriptor, text, length);
    REQUIRE(*at + length < OUTPUT_MAX, "more output than was ever expected");
    memcpy(texts[descriptor == STDERR_FILENO] + *at, text, length);
    *at += length;
    return (ssize_t)length;
}

void output_listen(void)
{
    listening = true;
}

struct output output_taken(int descriptor)
{
    unsigned which = descriptor == STDERR_FILENO;
    struct output output = {texts[which], lengths[which]};

    listening = false;
    texts[which][lengths[which]] = '\0';
    lengths[which] = 0;
    return output;
}

void output_require_none(void)
{
    struct output output = output_taken(STDERR_FILENO);

    REQUIRE(output.length == 0, "an unexpected message: %s", output.text);
}
