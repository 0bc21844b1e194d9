"""Writes two CSV files: one row for each run of a case, and one for each case and allocator."""

import csv
import statistics

from results import summarise

RAW_HEADS = (
    "case",
    "group",
    "allocator",
    "round",
    "unit",
    "time",
    "cpu_time",
    "peak_rss_kib",
    "wall_s",
    "cpu_s",
    "page_faults",
    "extra",
)
SUMMARY_HEADS = (
    "case",
    "group",
    "allocator",
    "rounds",
    "unit",
    "min_time",
    "median_time",
    "max_time",
    "min_cpu_time",
    "median_peak_rss_kib",
    "median_page_faults",
    "system_calls",
    "memory_system_calls",
    "steady_page_faults",
    "extra",
    "failure",
)


def decimals(value, digits=3):
    return "" if value is None else f"{value:.{digits}f}"


def extra_text(extra):
    return " ".join(f"{key}={value:g}" for key, value in sorted(extra.items()))


def raw_rows(results):
    for case in results.cases:
        for allocator in results.allocators:
            for number, sample in enumerate(
                results.samples.get((case.name, allocator.name), ()), 1
            ):
                yield (
                    case.name,
                    case.group,
                    allocator.name,
                    number,
                    case.unit,
                    decimals(sample.time),
                    decimals(sample.cpu),
                    sample.peak_kib,
                    decimals(sample.wall_s, 6),
                    decimals(sample.cpu_s, 6),
                    sample.faults,
                    extra_text(sample.extra),
                )


def summary_row(case, allocator, samples, counts):
    times = [sample.time for sample in samples]
    summary = summarise(samples)
    known = counts or (None, None, None)
    return (
        case.name,
        case.group,
        allocator.name,
        len(samples),
        case.unit,
        decimals(summary.min_time),
        decimals(summary.median_time),
        decimals(max(times)),
        decimals(summary.cpu),
        decimals(summary.peak_kib, 0),
        decimals(statistics.median(sample.faults for sample in samples), 0),
        *(decimals(value) for value in known),
        extra_text(summary.extra),
        "",
    )


def summary_rows(results):
    for case in results.cases:
        for allocator in results.allocators:
            key = (case.name, allocator.name)
            if key in results.failures:
                head = (case.name, case.group, allocator.name, 0, case.unit)
                yield head + ("",) * (len(SUMMARY_HEADS) - len(head) - 1) + (results.failures[key],)
            elif results.samples.get(key):
                yield summary_row(case, allocator, results.samples[key], results.counts.get(key))


def write(path, heads, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)


def write_all(results, raw_path, summary_path):
    write(raw_path, RAW_HEADS, raw_rows(results))
    write(summary_path, SUMMARY_HEADS, summary_rows(results))
