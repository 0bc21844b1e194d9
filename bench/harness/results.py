"""What a run of the benchmarks found, and its form on disk (JSON), from which reports can be made again."""

import json
from dataclasses import dataclass, field
from typing import NamedTuple

from allocators import Allocator
from case import Case


class Sample(NamedTuple):
    """One run of one case under one allocator."""

    time: float  # of one operation, in the case's unit
    peak_kib: int  # resident memory at its highest
    wall_s: float  # of the process, its preparations included
    cpu_s: float
    faults: int
    extra: dict  # further figures that the program prints

    @property
    def cpu(self):
        """Processor time of one operation: what the process used for each second, times that operation's."""
        return self.time * self.cpu_s / self.wall_s if self.wall_s else None


PER_OPERATIONS = 10000


class Counts(NamedTuple):
    """For PER_OPERATIONS operations of a program in steady state; of a whole program for a run."""

    calls: float  # system calls
    memory_calls: float  # those of them that ask for memory or give it back
    faults: float


@dataclass
class Results:
    setting: dict  # of the machine and of the run: text or numbers, by name
    allocators: list  # of Allocator, ours first
    cases: list  # of Case
    samples: dict = field(
        default_factory=dict
    )  # (case name, allocator name): list of Sample, one a round
    counts: dict = field(default_factory=dict)  # (case name, allocator name): Counts
    failures: dict = field(default_factory=dict)  # (case name, allocator name): what went wrong
    notes: list = field(default_factory=list)  # lines on what is missing

    def main_cases(self):
        return [case for case in self.cases if not case.scaling_only]


def _rows(table, pack):
    return [[case, allocator, pack(value)] for (case, allocator), value in table.items()]


def save(results, path):
    content = {
        "setting": results.setting,
        "allocators": [list(allocator) for allocator in results.allocators],
        "cases": [list(case) for case in results.cases],
        "samples": _rows(results.samples, lambda samples: [list(sample) for sample in samples]),
        "counts": _rows(results.counts, list),
        "failures": _rows(results.failures, str),
        "notes": results.notes,
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)


def load(path):
    with open(path, encoding="utf-8") as file:
        content = json.load(file)

    def table(name, unpack):
        return {(case, allocator): unpack(value) for case, allocator, value in content[name]}

    return Results(
        setting=content["setting"],
        allocators=[Allocator(*fields) for fields in content["allocators"]],
        cases=[Case(fields[0], tuple(fields[1]), *fields[2:]) for fields in content["cases"]],
        samples=table("samples", lambda samples: [Sample(*fields) for fields in samples]),
        counts=table("counts", lambda fields: Counts(*fields)),
        failures=table("failures", str),
        notes=content["notes"],
    )
