/*
 * What the kernel says of this process, by a name in /proc/self/status such as "VmSize:", in KiB;
 * and of the machine, by one in /proc/meminfo. Allocates nothing.
 */
#ifndef FT_TEST_FAULTS_STATUS_H
#define FT_TEST_FAULTS_STATUS_H

#include <stddef.h>

size_t status_kib(const char *name);
size_t status_machine_kib(const char *name);

#endif
