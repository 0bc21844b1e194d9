"""Decides what the plots show, and has gnuplot draw them as SVG files. gnuplot.py knows how.

Bars show time and peak memory of each case, relative to a peer. The scatter plots show time against
memory, as geometric means. Lines show the scaling series.
"""

import os

import figures
import gnuplot
import report
import scaling
from allocators import GLIBC, MIMALLOC

BAR_LIMIT = 3.0  # a longer bar is cut, and its value is written beside it


def base_of(results):
    """Returns the name of the allocator that is the line at 1 in the bar plots."""
    names = report.names_of(results)
    return next((name for name in (MIMALLOC, GLIBC) if name in names), names[0])


def relative_rows(results, cases, pick, base):
    """Returns (case, {allocator: ratio}) for the cases in which the base has a value."""
    grid = figures.grid_of(results, cases, pick)
    rows = [
        (name, {allocator: figures.ratio(value, row[base]) for allocator, value in row.items()})
        for name, row in grid.items()
        if row[base]
    ]
    return [
        (name, row) for name, row in rows if sum(value is not None for value in row.values()) > 1
    ]


def bar_plots(results):
    base = base_of(results)
    names = [name for name in report.names_of(results) if name != base]
    for group, cases in report.grouped(results):
        for what, title, pick in (
            ("time", "time", report.time_of),
            ("memory", "peak memory", report.peak_of),
        ):
            rows = relative_rows(results, cases, pick, base)
            if rows:
                heading = f"{report.GROUP_TITLES[group]}: {title}, {base} = 1 (shorter is better)"
                yield f"{what}-{group}", gnuplot.bars(
                    heading.capitalize(), rows, names, base, BAR_LIMIT
                )


def scatter_plot(results):
    """Yields one plot with a panel for each group and one for all.

    x is time and y is memory, both relative to the first base.
    """
    base = (report.bases_of(results) or report.names_of(results))[0]
    panels = []
    for title, cases in report.sections_to_compare(results):
        times = figures.mean_ratios(figures.grid_of(results, cases, report.time_of), base)
        peaks = figures.mean_ratios(figures.grid_of(results, cases, report.peak_of), base)
        points = [(name, times[name], peaks[name]) for name in times if name in peaks]
        if len(points) > 1:
            panels.append((title.capitalize(), points))
    if panels:
        yield "scatter", gnuplot.scatter(panels, f"time, {base} = 1", f"peak memory, {base} = 1")


def lines_of(grid, cases, names):
    """Returns {allocator: [(x, value)]} without the points that are missing."""
    return {
        name: [
            (case.x, grid[case.name][name]) for case in cases if grid.get(case.name, {}).get(name)
        ]
        for name in names
    }


def scaling_plots(results):
    names = report.names_of(results)
    for series, cases in scaling.series_of(results.cases).items():
        times = lines_of(scaling.time_grid(results, cases), cases, names)
        if max(map(len, times.values())) < 2:
            continue
        panels = [(f"{series}: {cases[0].unit} per operation", times)]
        memory = lines_of(scaling.memory_grid(results, cases), cases, names)
        if max(map(len, memory.values())) > 1:
            panels.append((f"{series}: resident bytes for each live byte", memory))
        yield f"scaling-{series}", gnuplot.lines(panels, scaling.axis_of(series), names)


def draw(results, folder):
    """Draws all plots. Returns the files' names, and a line on what is missing or None."""
    problem = gnuplot.problem()
    if problem:
        return [], problem
    os.makedirs(folder, exist_ok=True)
    drawn = []
    for plots in (bar_plots(results), scatter_plot(results), scaling_plots(results)):
        for name, script in plots:
            failure = gnuplot.draw(script, os.path.join(folder, name + ".svg"))
            if failure:
                return drawn, f"gnuplot failed on {name}: {failure}"
            drawn.append(name + ".svg")
    return drawn, None


def existing(folder):
    """Returns the names of the plots that an earlier run left in the folder."""
    return sorted(name for name in os.listdir(folder) if name.endswith(".svg"))
