"""Counts system calls and page faults of a case in steady state.

A program of build/bench/ runs twice, with few and with many rounds. The difference holds neither
the start of the process nor the program's preparations, only operations in the middle of its work.
Page faults are counted in separate runs, because strace would cause some. A whole program is
counted once, as it is.
"""

import math
import os
import shutil
import subprocess
import tempfile

from protocol import memory_calls, parse_strace
from results import PER_OPERATIONS, Counts
from runner import RunFailure

MEASURED_NS = 20e6  # how long the counted operations take, without strace
FEWEST_OPERATIONS, MOST_OPERATIONS = 100, 500000


def strace_problem():
    """Returns why system calls cannot be counted here, or None."""
    if not shutil.which("strace"):
        return "strace is not installed (--install-peers installs it): no system calls are counted"
    trial = subprocess.run(
        ["strace", "-f", "-c", "-o", os.devnull, "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if trial.returncode != 0:
        return f"strace does not work here: no system calls are counted ({trial.stderr.strip()})"
    return None


def rounds_to_count(operations_per_round, time_ns):
    """Returns few and many rounds. The warm-up has as many operations as are counted after it."""
    wanted = min(max(MEASURED_NS / time_ns, FEWEST_OPERATIONS), MOST_OPERATIONS)
    few = max(1, math.ceil(wanted / operations_per_round))
    return few, 2 * few


def traced_run(runner, case, allocator, options):
    """Runs the case under strace; returns the program's line and {system call: how often}."""
    calls = {}
    with tempfile.TemporaryDirectory(dir=runner.work, prefix="trace-") as folder:
        line, _ = runner.run(case, allocator, options, trace=folder)
        for entry in os.scandir(folder):
            with open(entry.path, encoding="utf-8") as file:
                for name, count in parse_strace(file.read()).items():
                    calls[name] = calls.get(name, 0) + count
    return line, calls


def counted_run(runner, case, allocator, rounds):
    """Returns (operations, system calls, those for memory, page faults) of `rounds` rounds."""
    options = ("--rounds", str(rounds))
    line, calls = traced_run(runner, case, allocator, options)
    _, cost = runner.run(case, allocator, options)
    if not line.extra.get("ops"):
        raise RunFailure("it does not print its number of operations")
    return line.extra["ops"], sum(calls.values()), memory_calls(calls), cost.faults


def count_program(runner, case, allocator, time_ns):
    line, _ = runner.run(case, allocator, ("--rounds", "1"))
    if not line.extra.get("ops"):
        raise RunFailure("it does not print its number of operations")
    few, many = (
        counted_run(runner, case, allocator, rounds)
        for rounds in rounds_to_count(line.extra["ops"], time_ns)
    )
    operations, *differences = (after - before for before, after in zip(few, many))
    # A difference can fall below 0 by chance: how often two threads wait for each other varies, and
    # the start may touch a page more or less.
    return Counts(*(max(0, value) * PER_OPERATIONS / operations for value in differences))


def count_script(runner, case, allocator, faults):
    _, calls = traced_run(runner, case, allocator, ())
    return Counts(sum(calls.values()), memory_calls(calls), faults)
