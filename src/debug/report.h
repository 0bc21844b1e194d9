/*
 * What happens on misuse: one line on stderr that names the function, the pointer, its zone and
 * size; then SIGABRT, or with FT_MALLOC_ON_ERROR=report nothing more.
 */
#ifndef FT_DEBUG_REPORT_H
#define FT_DEBUG_REPORT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * `function`: as the user knows it, such as "free()". Returns only in report mode. The caller holds
 * no lock.
 */
void report_misuse(const char *function, uintptr_t address);

/*
 * For a live chunk: the caller said something about it that is not so; `what`: "size" or
 * "alignment". By default it is told once in a process, and no misuse: see FT_MALLOC_ON_WRONG_SIZE.
 */
void report_wrong(const char *function, const char *what, uintptr_t said, uintptr_t address);

#endif
