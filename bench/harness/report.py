"""Makes the tables of a run: times, memory, system calls, page faults, and who wins."""

import figures
from allocators import GLIBC, MIMALLOC, OURS
from cases import GROUPS
from results import PER_OPERATIONS
from tables import MISSING, WINNER, Table, number, percent, ratio_text

BEHIND_FACTOR = 1.10
GROUP_TITLES = {
    "single": "one thread",
    "threads": "several threads",
    "start": "start of a process",
    "whole": "whole programs",
}


def time_of(summary):
    return summary.min_time


def peak_of(summary):
    return summary.peak_kib


def grouped(results):
    """Yields (group, its cases) for each group of the main tables."""
    for group in GROUPS:
        cases = [case for case in results.main_cases() if case.group == group]
        if cases:
            yield group, cases


def names_of(results):
    return [allocator.name for allocator in results.allocators]


def bases_of(results):
    """Returns the peers that have a column of ratios."""
    return [name for name in (GLIBC, MIMALLOC) if name in names_of(results)]


def comparing_table(title, grid, names, about="", with_means=True):
    """Returns a table with the allocators side by side, ours relative to peers, and the winner."""
    bases = [name for name in (GLIBC, MIMALLOC) if name in names] if OURS in names else []
    compared = OURS in names and len(names) > 1
    heads = ["case", *names, *(f"ours/{base}" for base in bases)]
    if compared:
        heads += ["ours/best", "best peer", WINNER]
    rows = []
    for case, row in grid.items():
        cells = [case, *(number(row[name]) for name in names)]
        cells += [ratio_text(figures.ratio(row[OURS], row[base])) for base in bases]
        if compared:
            peer, value = figures.best_peer(row)
            cells += [
                ratio_text(figures.ratio(row[OURS], value)),
                peer or MISSING,
                figures.best(row)[0] or MISSING,
            ]
        rows.append(cells)
    feet = [mean_row(grid, names, bases, compared)] if with_means and len(grid) > 1 else []
    return Table(title, heads, rows, feet, about)


def mean_row(grid, names, bases, compared):
    means = {
        name: figures.geometric_mean(
            [row[name] for row in figures.comparable(grid) if row.get(name)]
        )
        for name in names
    }
    cells = ["geometric mean", *(number(means[name]) for name in names)]
    cells += [ratio_text(figures.ratio(means[OURS], means[base])) for base in bases]
    if compared:
        cells += [
            ratio_text(figures.mean_to_best_peer(grid)),
            figures.best_peer(means)[0] or MISSING,
            figures.best(means)[0] or MISSING,
        ]
    return cells


def plain_table(title, grid, names, about=""):
    return Table(
        title,
        ["case", *names],
        [[case, *(number(row[name]) for name in names)] for case, row in grid.items()],
        [],
        about,
    )


def time_tables(results):
    rounds = results.setting.get("rounds")
    for group, cases in grouped(results):
        units = ", ".join(sorted({case.unit for case in cases}))
        grid = figures.grid_of(results, cases, time_of)
        yield comparing_table(
            f"Time, {GROUP_TITLES[group]}: {units} per operation, minimum of {rounds} rounds",
            grid,
            names_of(results),
        )


def median_tables(results):
    """Yields medians and how far they are above the minimum, which shows the noise of the run."""
    for group, cases in grouped(results):
        rows = []
        for case in cases:
            cells = [case.name]
            for name in names_of(results):
                summary = results.summary(case.name, name)
                cells.append(
                    f"{number(summary.median_time)} (+{percent(figures.spread(summary))})"
                    if summary
                    else MISSING
                )
            rows.append(cells)
        yield Table(
            f"Time, {GROUP_TITLES[group]}: median, and its distance from the minimum",
            ["case", *names_of(results)],
            rows,
        )


def memory_tables(results):
    for group, cases in grouped(results):
        grid = figures.grid_of(results, cases, peak_of)
        yield comparing_table(
            f"Peak resident memory, {GROUP_TITLES[group]}: KiB, median", grid, names_of(results)
        )


def processor_tables(results):
    """Leaves out the group with one thread, where processor time is the time."""
    for group, cases in grouped(results):
        if group != "single":
            grid = figures.grid_of(results, cases, lambda summary: summary.cpu)
            yield comparing_table(
                f"Processor time, {GROUP_TITLES[group]}: per operation, minimum",
                grid,
                names_of(results),
                "All threads together, the kernel's work for them included.",
            )


COUNT_TITLES = (
    ("memory_calls", "System calls for memory"),
    ("calls", "All system calls"),
    ("faults", "Page faults"),
)

# What is counted in groups whose operation is a process or a run.
COUNT_UNITS = {"start": "process", "whole": "run"}


def count_tables(results):
    for field, title in COUNT_TITLES:
        for group, cases in grouped(results):
            unit = COUNT_UNITS.get(group, f"{PER_OPERATIONS:,} operations in steady state")
            grid = figures.count_grid(
                results, cases, field, PER_OPERATIONS if group == "start" else 1
            )
            if grid:
                yield plain_table(
                    f"{title}, {GROUP_TITLES[group]}: per {unit}", grid, names_of(results)
                )


def extra_tables(results):
    grid = figures.extra_grid(results, results.main_cases())
    if grid:
        yield plain_table(
            "Further figures that the programs print, median", grid, names_of(results)
        )


def sections_to_compare(results):
    """Returns (title, cases) for each row of the summaries: the groups, then all together."""
    sections = [(GROUP_TITLES[group], cases) for group, cases in grouped(results)]
    if len(sections) > 1:
        sections.append(("all", results.main_cases()))
    return sections


def summary_table(results, title, pick):
    """Returns a table of geometric means for each group, relative to one allocator."""
    names, bases = names_of(results), bases_of(results)
    base = bases[0] if bases else names[0]
    heads = ["group", "cases", *names]
    if OURS in names:
        heads += [*(f"ours/{name}" for name in bases), "ours/best of each line"]
    rows = []
    for section, cases in sections_to_compare(results):
        grid = figures.grid_of(results, cases, pick)
        means = figures.mean_ratios(grid, base)
        cells = [
            section,
            str(len(figures.comparable(grid))),
            *(ratio_text(means.get(name)) for name in names),
        ]
        if OURS in names:
            cells += [ratio_text(figures.ratio(means.get(OURS), means.get(name))) for name in bases]
            cells.append(ratio_text(figures.mean_to_best_peer(grid)))
        rows.append(cells)
    return Table(f"{title}: geometric means, {base} = 1", heads, rows)


def wins_table(results):
    rows = []
    for section, cases in sections_to_compare(results):
        for what, pick in (("time", time_of), ("memory", peak_of)):
            counts = figures.wins(figures.grid_of(results, cases, pick))
            rows.append(
                [f"{section}: {what}", *(str(counts.get(name, 0)) for name in names_of(results))]
            )
    return Table(
        "Who wins: number of cases in which each allocator is the best",
        ["group", *names_of(results)],
        rows,
    )


def summary_tables(results):
    yield summary_table(results, "Time", time_of)
    yield summary_table(results, "Peak resident memory", peak_of)
    yield wins_table(results)


def behind_tables(results):
    """Yields the cases in which ours is more than a tenth worse than the best peer."""
    for what, pick in (("time", time_of), ("peak resident memory", peak_of)):
        grid = figures.grid_of(results, results.main_cases(), pick)
        rows = [
            [case, f"{factor:.2f}", peer, number(grid[case][OURS]), number(grid[case][peer])]
            for factor, case, peer in figures.behind(grid, BEHIND_FACTOR)
        ]
        title = f"Cases in which ours takes more than {BEHIND_FACTOR:.2f} × the best peer: {what}"
        yield Table(
            title,
            ["case", "ours/best", "best peer", "ours", "theirs"],
            rows or [["none"] + [""] * 4],
        )
