/*
 * Figures of the kernel, in KiB: about this process, by a name in /proc/self/status such as
 * "VmSize:"; and about the machine, by a name in /proc/meminfo. Allocates nothing.
 */
#ifndef FT_TEST_FAULTS_STATUS_H
#define FT_TEST_FAULTS_STATUS_H

#include <stddef.h>

size_t status_kib(const char *name);
size_t status_machine_kib(const char *name);

#endif
