"""Handles series of cases that differ in one number: threads, live chunks, or size of a chunk."""

import figures
from tables import Table, number

MEMORY_KEY = "rss_per_live_byte"
# What the number counts in series that are not about threads.
AXES = {"live": "live chunks", "size": "bytes of a chunk"}


def axis_of(series):
    return AXES.get(series, "threads")


def series_of(cases):
    """Returns {series: its cases, sorted by their number}, in the order of the case lists."""
    found = {}
    for case in cases:
        if case.series:
            found.setdefault(case.series, []).append(case)
    return {name: sorted(members, key=lambda case: case.x) for name, members in found.items()}


def time_grid(results, cases):
    return figures.grid_of(results, cases, lambda summary: summary.min_time)


def memory_grid(results, cases):
    grid = figures.grid_of(results, cases, lambda summary: summary.extra.get(MEMORY_KEY))
    return {name: row for name, row in grid.items() if any(row.values())}


def series_table(title, series, cases, grid, names):
    rows = [
        [f"{case.x:,}", *(number(grid[case.name][name]) for name in names)]
        for case in cases
        if case.name in grid and any(grid[case.name].values())
    ]
    return Table(title, [axis_of(series), *names], rows)


def tables(results):
    """Yields a table of times for each series, and one of memory if its programs print that."""
    names = [allocator.name for allocator in results.allocators]
    for series, cases in series_of(results.cases).items():
        table = series_table(
            f"Scaling, {series}: {cases[0].unit} per operation",
            series,
            cases,
            time_grid(results, cases),
            names,
        )
        if len(table.rows) < 2:
            continue
        yield table
        memory = memory_grid(results, cases)
        if memory:
            yield series_table(
                f"Scaling, {series}: resident bytes for each live byte",
                series,
                cases,
                memory,
                names,
            )
