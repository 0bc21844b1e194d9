"""gcc and g++ build a large C file and template-heavy C++ on the library; both programs run.

gcc's -wrapper option gives each program its own file for stderr, so that the lines that they print
at exit do not mix.
"""

import filecmp
import os

import harness
from workloads import generate_sources

WRAPPER = 'exec "$@" 2> "$WRAPPED/$(basename "$1")"\n'


def compile_on_library(h, compiler, source, flags, compiler_proper):
    wrapper, directory, binary = h.write("wrapper.sh", WRAPPER), source + ".stderr", source + ".out"
    os.mkdir(directory)
    command = [compiler, "-wrapper", f"/bin/sh,{wrapper}", *flags, source, "-o", binary]
    h.check_served(h.run(command, env={"WRAPPED": directory}).stats, allocations=50)
    for name, allocations in ((compiler_proper, 100_000), ("as", 1000), ("collect2", 50)):
        print(name, end=" ")
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
            h.check_served(harness.parse_stats(file.read()), allocations=allocations)
    return binary


def test_c(h):
    gcc = harness.program("gcc")
    source = h.write("large.c", generate_sources.c_source(250))
    binary = compile_on_library(h, gcc, source, ["-O2", "-g"], "cc1")
    h.run([gcc, "-O0", source, "-o", h.path("plain")], preload=False)
    plain = h.run([h.path("plain")], preload=False)
    harness.check(
        plain.stdout == h.run([binary]).stdout != "", "the C program prints another number"
    )
    assembly = [h.path("served.s"), h.path("plain.s")]
    for output, preload in zip(assembly, (True, False)):
        h.run([gcc, "-O1", "-S", source, "-o", output], preload=preload)
    harness.check(
        filecmp.cmp(*assembly, shallow=False), "gcc writes other code with the library than without"
    )


def test_cpp(h):
    gxx = harness.program("g++")
    source = h.write("large.cc", generate_sources.cpp_source(16))
    binary = compile_on_library(h, gxx, source, ["-std=c++17", "-O1", "-pthread"], "cc1plus")
    result = h.run_both([binary])
    harness.check(
        result.stdout.endswith(" <17> <4> <9>\n"), f"the C++ program printed {result.stdout}"
    )
    h.check_served(result.stats, allocations=100_000)


def test(h):
    test_c(h)
    test_cpp(h)


harness.run_test(test)
