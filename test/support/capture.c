/*
 * Captures a descriptor through a memfd. The capture's memory comes from mmap, because the
 * allocator under test may be the one of this process, and the capture must not change what it
 * lists.
 */
#include "support/capture.h"

#include "support/require.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Calls the kernel directly. ThreadSanitizer watches libc's functions and assumes that all threads
 * share one table of descriptors, which is not so after capture_private_descriptors().
 */
static int duplicate(int from, int to)
{
    return (int)(to < 0 ? syscall(SYS_dup, from) : syscall(SYS_dup3, from, to, 0));
}

static void close_descriptor(int descriptor)
{
    syscall(SYS_close, descriptor);
}

void capture_open(struct capture *capture, int descriptor)
{
    *capture =
        (struct capture){.descriptor = descriptor, .file = memfd_create("capture", MFD_CLOEXEC)};
    REQUIRE(capture->file >= 0, "memfd_create failed");
}

static void reserve(struct capture *capture, size_t length)
{
    if (length <= capture->capacity)
        return;
    size_t capacity = (length * 2 + 0xFFFF) & ~(size_t)0xFFFF;
    if (capture->text != NULL)
        munmap(capture->text, capture->capacity);
    void *memory = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED, "no memory for %zu captured bytes", length);
    capture->text = memory;
    capture->capacity = capacity;
}

static void read_back(struct capture *capture)
{
    off_t end = lseek(capture->file, 0, SEEK_END);
    REQUIRE(end >= 0, "lseek failed");
    capture->length = (size_t)end;
    reserve(capture, capture->length + 1);
    for (size_t at = 0; at < capture->length;) {
        ssize_t got = pread(capture->file, capture->text + at, capture->length - at, (off_t)at);
        REQUIRE(got > 0, "cannot read back what was captured");
        at += (size_t)got;
    }
    capture->text[capture->length] = '\0';
}

void capture_call(struct capture *capture, void (*function)(void))
{
    (void)fflush(capture->descriptor == STDOUT_FILENO ? stdout : stderr);
    REQUIRE(ftruncate(capture->file, 0) == 0 && lseek(capture->file, 0, SEEK_SET) == 0,
            "cannot empty the capture");
    int saved = duplicate(capture->descriptor, -1);
    REQUIRE(saved >= 0 && duplicate(capture->file, capture->descriptor) >= 0, "cannot redirect %d",
            capture->descriptor);
    function();
    (void)fflush(capture->descriptor == STDOUT_FILENO ? stdout : stderr);
    REQUIRE(duplicate(saved, capture->descriptor) >= 0, "cannot restore %d", capture->descriptor);
    close_descriptor(saved);
    read_back(capture);
}

void capture_close(struct capture *capture)
{
    close_descriptor(capture->file);
    if (capture->text != NULL)
        munmap(capture->text, capture->capacity);
}

void capture_private_descriptors(void)
{
    REQUIRE(unshare(CLONE_FILES) == 0, "unshare(CLONE_FILES) failed");
}
