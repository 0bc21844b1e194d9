"""Turns summaries into figures.

A grid is a dictionary of rows, one for each case. A row holds a value for each allocator, or None
where there is none. In every grid less is better.
"""

import math

from allocators import OURS


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def ratio(value, base):
    return value / base if value and base else None


def grid_of(results, cases, pick):
    """Returns pick() of the summary of each case under each allocator."""
    grid = {}
    for case in cases:
        row = grid[case.name] = {}
        for allocator in results.allocators:
            summary = results.summary(case.name, allocator.name)
            row[allocator.name] = pick(summary) if summary else None
    return grid


def count_grid(results, cases, field, divisor=1):
    grid = {}
    for case in cases:
        counts = {
            allocator.name: results.counts.get((case.name, allocator.name))
            for allocator in results.allocators
        }
        if any(counts.values()):
            grid[case.name] = {
                name: count and getattr(count, field) / divisor for name, count in counts.items()
            }
    return grid


def extra_grid(results, cases):
    """Returns a row for each further figure that a case prints, under "case: key"."""
    grid = {}
    for case in cases:
        for allocator in results.allocators:
            summary = results.summary(case.name, allocator.name)
            for key, value in summary.extra.items() if summary else ():
                grid.setdefault(f"{case.name}: {key}", {})[allocator.name] = value
    return {
        name: {allocator.name: row.get(allocator.name) for allocator in results.allocators}
        for name, row in grid.items()
    }


def spread(summary):
    """Returns how far the median time lies above the minimum: 0.05 is 5 %."""
    return summary.median_time / summary.min_time - 1


def best(row, without=()):
    """Returns (name, value) of the lowest value of a row, or (None, None)."""
    known = [
        (value, name) for name, value in row.items() if value is not None and name not in without
    ]
    value, name = min(known) if known else (None, None)
    return name, value


def best_peer(row):
    return best(row, without=(OURS,))


def comparable(grid):
    """Returns the rows in which every allocator has a value.

    An allocator without any value in the whole grid is ignored.
    """
    names = [
        name for name in next(iter(grid.values()), {}) if any(row[name] for row in grid.values())
    ]
    return [
        {name: row[name] for name in names}
        for row in grid.values()
        if all(row[name] for name in names)
    ]


def mean_ratios(grid, base):
    """Returns, for each allocator, the mean of its ratios to `base` over the comparable rows."""
    rows = comparable(grid)
    if not rows or base not in rows[0]:
        return {}
    return {name: geometric_mean([row[name] / row[base] for row in rows]) for name in rows[0]}


def mean_to_best_peer(grid):
    """Returns the geometric mean of our ratios to the best peer of each row."""
    rows = [row for row in comparable(grid) if OURS in row and len(row) > 1]
    return geometric_mean([row[OURS] / best_peer(row)[1] for row in rows])


def wins(grid):
    """Returns in how many rows each allocator is the best.

    Rows in which only one allocator has a value do not count.
    """
    names = [
        best(row)[0]
        for row in grid.values()
        if sum(value is not None for value in row.values()) > 1
    ]
    return {name: names.count(name) for name in next(iter(grid.values()), {})}


def behind(grid, factor):
    """Returns (ratio, row, best peer) where ours is above `factor` times that peer, worst first."""
    found = []
    for name, row in grid.items():
        peer, value = best_peer(row)
        ours = ratio(row.get(OURS), value)
        if ours and ours > factor:
            found.append((ours, name, peer))
    return sorted(found, reverse=True)
