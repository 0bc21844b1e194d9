/*
 * Captures what a function writes to a descriptor in a memory file (show_alloc_mem writes to
 * descriptor 1 without stdio). capture_private_descriptors() gives the calling thread a descriptor
 * table of its own, so that several threads can capture at the same time.
 */
#ifndef FT_TEST_SUPPORT_CAPTURE_H
#define FT_TEST_SUPPORT_CAPTURE_H

#include <stddef.h>

struct capture {
    int descriptor; /* the descriptor that is captured: 1 or 2 */
    int file;
    char *text; /* what the last call wrote, followed by a '\0'; in memory from mmap */
    size_t length;
    size_t capacity;
};

void capture_open(struct capture *capture, int descriptor);
void capture_call(struct capture *capture, void (*function)(void));
void capture_close(struct capture *capture);
void capture_private_descriptors(void);

#endif
