"""Shared by the tests of the runner: its modules, made-up results, and the build directory."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("FT_BENCH_BUILD", os.path.join(ROOT, "build"))
sys.path.insert(0, os.path.join(ROOT, "bench", "harness"))

from allocators import Allocator
from case import Case
from results import Counts, Results, Sample

SETTING = {
    "processor": "a processor",
    "cores": 2,
    "memory": "4 GiB",
    "kernel": "Linux 6",
    "system": "a system",
    "compiler": "gcc",
    "date": "2026-01-01",
    "commit": "abc",
    "load": 0.1,
    "command": "bench/run",
    "seconds": 61,
    "rounds": 2,
    "reps": 5,
    "ms": 60,
    "scaling_rounds": 2,
    "versions": {"ft_malloc": "commit abc", "glibc": "2", "mimalloc": "2"},
}


def sample(time, peak=1000, **extra):
    return Sample(time, peak, wall_s=1.0, cpu_s=0.5, faults=7, extra=extra)


def made_up_results():
    """Returns results of three allocators.

    Case "one" is complete, mimalloc failed "two", and "far" is for scaling only.
    """
    cases = [
        Case("one", ("pair",), "", "single", series="live", x=10),
        Case("two", ("pair",), "", "single"),
        Case("far", ("pair",), "", "single", series="live", x=1000, scaling_only=True),
        Case("app", ("whole/app",), "", "whole", unit="ms"),
    ]
    allocators = [Allocator(name, "") for name in ("ft_malloc", "glibc", "mimalloc")]
    results = Results(dict(SETTING), allocators, cases)
    times = {
        "one": (1.0, 4.0, 2.0),
        "two": (3.0, 2.0, None),
        "far": (2.0, 8.0, 4.0),
        "app": (100.0, 100.0, 50.0),
    }
    for case, row in times.items():
        for allocator, time in zip(allocators, row):
            if time is None:
                results.failures[case, allocator.name] = "exit status 139: it crashed"
            else:
                samples = [sample(time * 1.5, 900), sample(time, 1100, rss_per_live_byte=1.5)]
                results.samples[case, allocator.name] = samples
                if case != "far":
                    results.counts[case, allocator.name] = Counts(5.0, 0.0, 1.25)
    return results
