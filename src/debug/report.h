/*
 * What happens on misuse: one line on stderr names the function, the pointer, its zone and size.
 * Then the program's handler is called (base/report_line.h), and the process ends with SIGABRT, or
 * goes on with FT_MALLOC_ON_ERROR=report.
 */
#ifndef FT_DEBUG_REPORT_H
#define FT_DEBUG_REPORT_H

#include "ft_malloc.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * `function` is the name that the user knows, such as "free()". Returns only in report mode. The
 * caller holds no lock.
 */
void report_misuse(const char *function, uintptr_t address);

/*
 * For a live chunk of which the caller said something wrong; `kind` is FT_MALLOC_WRONG_SIZE or
 * FT_MALLOC_WRONG_ALIGNMENT. The caller holds no lock. By default this is reported once in a
 * process, and does not end it: see FT_MALLOC_ON_WRONG_SIZE.
 */
void report_wrong(const char *function, enum ft_malloc_error_kind kind, uintptr_t said,
                  uintptr_t address);

#endif
