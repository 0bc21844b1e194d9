"""What a run of the benchmarks found, and its two forms on disk.

`results.json` holds every sample of every round. `docs/bench/results.json` holds only what the
document needs, one summary for each case and allocator; it is kept in the repository, so that the
document can be written again without a new run. load() reads both.
"""

import json
import statistics
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
        """Processor time of one operation: the operation's time, scaled by the process's load."""
        return self.time * self.cpu_s / self.wall_s if self.wall_s else None


class Summary(NamedTuple):
    """All rounds of one case under one allocator."""

    rounds: int
    min_time: float  # of one operation, in the case's unit
    median_time: float
    peak_kib: float  # median
    cpu: float  # of one operation, minimum; None if no round has it
    extra: dict  # medians of the further figures


PER_OPERATIONS = 10000


class Counts(NamedTuple):
    """Of PER_OPERATIONS operations in steady state; of a whole program, for one run."""

    calls: float  # system calls
    memory_calls: float  # those of them that ask for memory or give it back
    faults: float


def median_extra(samples):
    keys = sorted({key for sample in samples for key in sample.extra})
    return {
        key: statistics.median(sample.extra[key] for sample in samples if key in sample.extra)
        for key in keys
    }


def summarise(samples):
    times = [sample.time for sample in samples]
    return Summary(
        rounds=len(samples),
        min_time=min(times),
        median_time=statistics.median(times),
        peak_kib=statistics.median(sample.peak_kib for sample in samples),
        cpu=min((sample.cpu for sample in samples if sample.cpu is not None), default=None),
        extra=median_extra(samples),
    )


@dataclass
class Results:
    """The tables are keyed by (case name, allocator name)."""

    setting: dict  # of the machine and of the run: text or numbers, by name
    allocators: list  # of Allocator, ours first
    cases: list  # of Case
    samples: dict = field(default_factory=dict)  # list of Sample, one a round
    counts: dict = field(default_factory=dict)  # Counts
    failures: dict = field(default_factory=dict)  # what went wrong
    notes: list = field(default_factory=list)  # lines on what is missing
    stored: dict = field(default_factory=dict)  # Summary, where the samples were not kept

    def main_cases(self):
        return [case for case in self.cases if not case.scaling_only]

    def summary(self, case, allocator):
        """Returns the Summary of a case under an allocator, or None if there is none."""
        samples = self.samples.get((case, allocator))
        return summarise(samples) if samples else self.stored.get((case, allocator))

    def summaries(self):
        found = {
            (case.name, allocator.name): self.summary(case.name, allocator.name)
            for case in self.cases
            for allocator in self.allocators
        }
        return {key: summary for key, summary in found.items() if summary}


def _rows(table, pack):
    return [[case, allocator, pack(value)] for (case, allocator), value in table.items()]


def _content(results):
    return {
        "setting": results.setting,
        "allocators": [list(allocator) for allocator in results.allocators],
        "cases": [list(case) for case in results.cases],
        "counts": _rows(results.counts, list),
        "failures": _rows(results.failures, str),
        "notes": results.notes,
    }


def save(results, path):
    """Writes everything, with every sample."""
    samples = _rows(results.samples, lambda samples: [list(sample) for sample in samples])
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**_content(results), "samples": samples}, file, indent=1)


def _rounded(value, digits=7):
    """Keeps seven digits, so that no table changes by the rounding."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item, digits) for item in value]
    return value


def save_record(results, path):
    """Writes the summaries, a line for each row, so that a new record differs readably."""
    content = _content(results)
    content["allocators"] = [[one.name, "", *list(one)[2:]] for one in results.allocators]
    content["counts"] = _rounded(content["counts"])
    content["summaries"] = _rounded(_rows(results.summaries(), list))
    parts = []
    for name, value in content.items():
        if isinstance(value, list) and value:
            rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value)
            parts.append(f"{json.dumps(name)}: [\n{rows}\n]")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False, indent=1)}")
    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(parts) + "\n}\n")


def load(path):
    with open(path, encoding="utf-8") as file:
        content = json.load(file)

    def table(name, unpack):
        return {(case, allocator): unpack(value) for case, allocator, value in content[name]}

    return Results(
        setting=content["setting"],
        allocators=[Allocator(*fields) for fields in content["allocators"]],
        cases=[Case(fields[0], tuple(fields[1]), *fields[2:]) for fields in content["cases"]],
        samples=table("samples", lambda samples: [Sample(*fields) for fields in samples])
        if "samples" in content
        else {},
        counts=table("counts", lambda fields: Counts(*fields)),
        failures=table("failures", str),
        notes=content["notes"],
        stored=table("summaries", lambda fields: Summary(*fields))
        if "summaries" in content
        else {},
    )
