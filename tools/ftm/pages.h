/*
 * Which pages of a live process are in memory, by the kernel's own count: /proc/PID/smaps says how
 * many of each mapping are, and /proc/PID/pagemap which. Pages of zeros that were only ever read
 * are in no memory of their own, and the kernel does not count them.
 */
#ifndef FTM_PAGES_H
#define FTM_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pages;

/* Returns NULL after a line on stderr if the kernel does not tell. */
struct pages *pages_open(pid_t pid);
void pages_close(struct pages *pages);

uint64_t pages_size(const struct pages *pages); /* of one page */

/* Returns how many bytes of [start, end) are in pages in memory; in one piece or not. */
uint64_t pages_resident(const struct pages *pages, uint64_t start, uint64_t end);

/* Returns whether the page that the address is in is in memory. */
bool pages_have(const struct pages *pages, uint64_t address);

/* What the kernel counts as the process's resident memory, and as swapped out, in bytes. */
uint64_t pages_rss(const struct pages *pages);
uint64_t pages_swap(const struct pages *pages);

/* The sum of what pages_resident() says of all addresses. */
uint64_t pages_counted(const struct pages *pages);

#endif
