"""Turns the samples of a run into tables for the terminal and into a CSV file.

Samples: {(case name, allocator name): [(ns per operation, peak RSS in KiB), ...]}, one entry a round.
"""

import csv
import math
import os
import statistics

from allocators import OURS, REFERENCE

MISSING = "-"
CSV_HEADS = ("case", "allocator", "min_ns", "median_ns", "max_ns", "peak_rss_kib", "rounds", "library")


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def column(samples, cases, allocator, index, pick):
    """One figure a case, None where a case has no sample."""
    rows = (samples.get((case.name, allocator.name)) for case in cases)
    return [pick([sample[index] for sample in row]) if row else None for row in rows]


def ratios(ours, theirs):
    return [a / b if a and b else None for a, b in zip(ours, theirs)]


def comparable_means(columns):
    """Geometric means over the cases that all finished; an allocator that finished none has no say in it."""
    taking_part = [values for values in columns if any(values)]
    complete = [all(row) for row in zip(*taking_part)]
    return [geometric_mean([value for value, use in zip(values, complete) if use]) if any(values) else None
            for values in columns]


def text(value, form):
    return MISSING if value is None else format(value, form)


def print_table(title, heads, names, columns, form, with_ratio=True):
    """Allocators side by side; last column: ours over the reference; last row: geometric means."""
    heads, columns = list(heads), list(columns)
    forms = [form] * len(columns)
    means = comparable_means(columns)
    if with_ratio and OURS in heads and REFERENCE in heads:
        ours, theirs = heads.index(OURS), heads.index(REFERENCE)
        columns.append(ratios(columns[ours], columns[theirs]))
        means += ratios([means[ours]], [means[theirs]])
        heads.append(f"ours/{REFERENCE}")
        forms.append(".2f")
    first = max(map(len, [title, "geometric mean", *names]))
    widths = [max(len(head), 9) for head in heads]
    rule = "-" * (first + sum(widths) + 2 * len(widths))

    def line(name, values):
        cells = (text(value, f).rjust(width) for value, f, width in zip(values, forms, widths))
        print(name.ljust(first), *cells, sep="  ")

    print()
    print(title.ljust(first), *(head.rjust(width) for head, width in zip(heads, widths)), sep="  ")
    print(rule)
    for name, *values in zip(names, *columns):
        line(name, values)
    print(rule)
    line("geometric mean", means)
    return means


def print_relative(heads, means):
    """How every allocator compares with the reference, in one line."""
    if REFERENCE not in heads or not means[heads.index(REFERENCE)]:
        return
    reference = means[heads.index(REFERENCE)]
    parts = (f"{head} {mean / reference:.2f}" for head, mean in zip(heads, means) if mean)
    print(f"geometric mean, x {REFERENCE}: " + ", ".join(parts))


def print_worst(cases, heads, columns):
    """Names the case in which ours is furthest behind the reference."""
    if OURS not in heads or REFERENCE not in heads:
        return
    pairs = zip(ratios(columns[heads.index(OURS)], columns[heads.index(REFERENCE)]), cases)
    known = [(ratio, case.name) for ratio, case in pairs if ratio]
    if known:
        ratio, case = max(known)
        print(f"worst case of {OURS}: {ratio:.2f} x {REFERENCE} ({case})")


def print_report(samples, cases, allocators):
    heads = [allocator.name for allocator in allocators]
    names = [case.name for case in cases]

    def columns(index, pick):
        return [column(samples, cases, allocator, index, pick) for allocator in allocators]

    minima = columns(0, min)
    means = print_table("ns per operation, minimum", heads, names, minima, ".2f")
    print_relative(heads, means)
    print_worst(cases, heads, minima)
    print_table("ns per operation, median", heads, names, columns(0, statistics.median), ".2f")
    memory = print_table("peak RSS in KiB, median", heads, names, columns(1, statistics.median), ".0f")
    print_relative(heads, memory)


def write_csv(path, samples, cases, allocators):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_HEADS)
        for case in cases:
            for allocator in allocators:
                row = samples.get((case.name, allocator.name))
                if not row:
                    continue
                times = [sample[0] for sample in row]
                peak = statistics.median(sample[1] for sample in row)
                spread = (min(times), statistics.median(times), max(times))
                writer.writerow([case.name, allocator.name, *(f"{value:.3f}" for value in spread),
                                 f"{peak:.0f}", len(row), allocator.library])
