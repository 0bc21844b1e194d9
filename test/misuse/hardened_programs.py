"""Real programs with FT_MALLOC_HARDEN=1: they print what they print without the library, and
nothing is reported."""

import os
import sys

PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "preload")
sys.path.insert(0, PRELOAD)
import harness  # pylint: disable=wrong-import-position
from workloads import generate_sources  # pylint: disable=wrong-import-position

HARDENED = {
    "FT_MALLOC_HARDEN": "1",
    "PYTHONMALLOC": "malloc",
    "PYTHONHASHSEED": "0",
    "PERL_HASH_SEED": "0",
}


def workload(name):
    return os.path.join(PRELOAD, "workloads", name)


def run_hardened(h, command, **options):
    result = h.run_both(command, env=HARDENED, seconds=200, **options)
    h.check_served(result.stats, allocations=10_000)


def python3(h):
    run_hardened(h, [harness.program("python3"), workload("python_workload.py")])


def perl(h):
    run_hardened(h, [harness.program("perl"), workload("workload.pl")])


def sqlite3(h):
    with open(workload("sqlite.sql"), encoding="utf-8") as file:
        run_hardened(h, [harness.program("sqlite3"), ":memory:"], stdin=file.read())


def compiler(h):
    gxx = harness.program("g++")
    source = h.write("hardened.cc", generate_sources.cpp_source(4))
    command = [gxx, "-std=c++17", "-O1", "-pthread", source, "-o", h.path("program")]
    h.run(command, env=HARDENED, seconds=200)
    run_hardened(h, [h.path("program")])


PROGRAMS = {"python3": python3, "perl": perl, "sqlite3": sqlite3, "compiler": compiler}

harness.run_test(PROGRAMS[sys.argv[2]], seconds=280)
