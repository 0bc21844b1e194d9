"""Parses what the programs print, what `measure` reports, and what strace counts."""

import re
from typing import NamedTuple

# System calls by which an allocator gets memory, returns it, or changes its protection.
MEMORY_CALLS = frozenset(("mmap", "munmap", "mremap", "madvise", "mprotect", "brk"))


class Line(NamedTuple):
    time: float
    peak_kib: int
    extra: dict


class Report(NamedTuple):
    wall_s: float
    cpu_s: float
    faults: int


def parse_number(text):
    """Returns a finite number, or None."""
    return float(text) if re.fullmatch(r"-?\d+(\.\d*)?([eE][-+]?\d+)?", text) else None


def parse_line(output, name):
    """Returns the first valid line `name time peak_rss_kib [key=value ...]`, or None."""
    for text in output.splitlines():
        fields = text.split()
        if len(fields) < 3 or fields[0] != name:
            continue
        time, peak = parse_number(fields[1]), parse_number(fields[2])
        pairs = [field.partition("=") for field in fields[3:]]
        extra = {key: parse_number(value) for key, _, value in pairs}
        if time is not None and peak is not None and None not in extra.values():
            return Line(time, int(peak), extra)
    return None


def parse_report(text):
    """Returns the sum of the lines that `measure` wrote, or None if there is none.

    A case may measure several programs.
    """
    lines = [[int(field) for field in line.split()] for line in text.splitlines()]
    if not lines:
        return None
    wall, user, system, _, minor, major, _ = map(sum, zip(*lines))
    return Report(wall / 1e9, (user + system) / 1e9, minor + major)


def parse_strace(text):
    """Returns {system call: how often} from the table of `strace -c`."""
    calls = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 5 and re.fullmatch(r"[\d.]+", fields[0]) and fields[-1] != "total":
            calls[fields[-1]] = calls.get(fields[-1], 0) + int(fields[3])
    return calls


def memory_calls(calls):
    return sum(count for name, count in calls.items() if name in MEMORY_CALLS)
