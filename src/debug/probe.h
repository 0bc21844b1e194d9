/*
 * Probes for tracers outside, such as bpftrace or the OpenTelemetry profiler: otel_memory:alloc
 * with the address, the size, and the bytes that the sample stands for; and otel_memory:free with
 * the address. Each is one instruction that does nothing, and a note in the file (section
 * .note.stapsdt) that says where it is and where its arguments are. A tracer puts a breakpoint
 * there. Without one, the probe costs nothing.
 */
#ifndef FT_DEBUG_PROBE_H
#define FT_DEBUG_PROBE_H

#include <stdint.h>

/*
 * The note has: the address of the instruction; that of a section whose move tells a tracer that
 * the file was moved by prelink; no semaphore; provider, name, and where each argument is, as
 * 8@OPERAND for an unsigned one of 8 bytes.
 */
#define PROBE_NOTE(name, arguments)                                                                \
    "990: nop\n"                                                                                   \
    ".pushsection .note.stapsdt, \"\", \"note\"\n"                                                 \
    ".balign 4\n"                                                                                  \
    ".4byte 992f - 991f, 994f - 993f, 3\n"                                                         \
    "991: .asciz \"stapsdt\"\n"                                                                    \
    "992: .balign 4\n"                                                                             \
    "993: .8byte 990b, _.stapsdt.base, 0\n"                                                        \
    ".asciz \"otel_memory\"\n"                                                                     \
    ".asciz \"" name "\"\n"                                                                        \
    ".asciz \"" arguments "\"\n"                                                                   \
    "994: .balign 4\n"                                                                             \
    ".popsection\n"                                                                                \
    ".ifndef _.stapsdt.base\n"                                                                     \
    ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"                    \
    ".weak _.stapsdt.base\n"                                                                       \
    ".hidden _.stapsdt.base\n"                                                                     \
    "_.stapsdt.base: .space 1\n"                                                                   \
    ".size _.stapsdt.base, 1\n"                                                                    \
    ".popsection\n"                                                                                \
    ".endif\n"

static inline void probe_alloc(uintptr_t address, uint64_t size, uint64_t weight)
{
    __asm__ volatile(PROBE_NOTE("alloc", "8@%0 8@%1 8@%2")
                     :
                     : "r"(address), "r"(size), "r"(weight));
}

static inline void probe_free(uintptr_t address)
{
    __asm__ volatile(PROBE_NOTE("free", "8@%0") : : "r"(address));
}

#endif
