"""The opening of docs/BENCHMARKS.md: the plots, what their axes show, and what they say.

What a plot shows is the same for every run. The figures in the text come from the results.
"""

import figures
import plots
import report
import scaling
from allocators import OURS
from prose import paragraph
from tables import number, ratio_text

SCATTER = """Each point is an allocator. Its place from left to right is the time that the cases of
the panel took; its height is their peak resident memory. Both are geometric means in which {base}
is 1, so a point further left is quicker, and a lower point is smaller. A point at the upper left
buys its speed with memory. {ours} checks every pointer that is freed; the peers check few or
none."""

BARS = """Each bar is an allocator in one case: its time, or its peak resident memory, divided by
that of {base}. The black line at 1 is {base}; a bar that ends left of it is better, and shorter is
better. Bars are cut at {limit:g}, and the figure is then written beside them. Time is the minimum
of the rounds, memory the median. In the text below, "the best" is the best peer in each case."""

SCALING = """Both axes are logarithmic. From left to right one number grows: live chunks, the size
of a chunk, or threads. The height is the time of one operation: the time that the program took,
divided by the operations of all its threads. A level line means that growth costs nothing. With
threads, a line should fall until every processor is busy, and be level from there on. A step
upwards is a cliff: from that number on, the allocator has to work differently. A second panel shows
how many bytes are resident for each byte that the program has allocated; 1 is the ideal."""

SERIES = {
    "live": ("Live chunks", "A random one of many live chunks of 16 to 64 bytes is replaced."),
    "size": ("Size of a chunk", "16 chunks of one size are allocated, then freed."),
    "disjoint": (
        "Threads that share nothing",
        "Each thread replaces random chunks of its own, so they meet only inside the allocator.",
    ),
    "prodcons": ("Producers and consumers", "Half of the threads allocate, the others free."),
    "server": (
        "Chunks that outlive their thread",
        "Live chunks pass from each thread to a new one, which frees them.",
    ),
    "steal": (
        "Chunks that change threads",
        "Threads replace chunks of all sizes and swap every eighth with another thread.",
    ),
}


def shown(title, name):
    return f"![{title}](bench/{name})"


def listed(parts):
    parts = list(parts)
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def mean_pairs(results, cases, base):
    """Returns {allocator: (time, peak memory)}, geometric means relative to `base`."""
    times, peaks = (
        figures.mean_ratios(figures.grid_of(results, cases, pick), base)
        for pick in (report.time_of, report.peak_of)
    )
    return {name: (times[name], peaks[name]) for name in times if name in peaks}


def pair_text(pair):
    return f"{ratio_text(pair[0])} × the time and {ratio_text(pair[1])} × the memory"


def scatter_text(results, base):
    cases = results.main_cases()
    means = mean_pairs(results, cases, base)
    if OURS not in means:
        return ""
    peers = sorted((pair, name) for name, pair in means.items() if name not in (OURS, base))
    text = f"Over all {len(cases)} cases, {OURS} takes {pair_text(means[OURS])} of {base}."
    if peers:
        others = (f"{name} {ratio_text(one)} and {ratio_text(two)}" for (one, two), name in peers)
        text += f" The others: {listed(others)}."
    groups = list(report.grouped(results))
    if len(groups) > 1:
        pairs = (
            (report.GROUP_TITLES[group], mean_pairs(results, cases, base).get(OURS))
            for group, cases in groups
        )
        parts = (
            f"{ratio_text(pair[0])} and {ratio_text(pair[1])} ({title})"
            for title, pair in pairs
            if pair
        )
        text += f" {OURS} by group: {listed(parts)}."
    return text


def scatter_section(results, drawn):
    if "scatter.svg" not in drawn:
        return []
    base = (report.bases_of(results) or report.names_of(results))[0]
    return [
        "## Time against memory",
        shown("Time against memory", "scatter.svg"),
        paragraph(SCATTER.format(base=base, ours=OURS)),
        paragraph(scatter_text(results, base)),
    ]


def standing(results, cases, pick):
    """Says where ours stands in a group: how often it is the best or near it, and where it is
    not."""
    grid = figures.grid_of(results, cases, pick)
    rows = {name: row for name, row in grid.items() if row.get(OURS)}
    won = figures.wins(rows).get(OURS, 0)
    behind = figures.behind(rows, report.BEHIND_FACTOR)
    text = f"{OURS} is the best in {won or 'none'} of {len(rows)} cases"
    if not behind:
        return f"{text}, and nowhere more than {report.BEHIND_FACTOR:.2f} × the best."
    (factor, case, peer), others = behind[0], len(rows) - len(behind)
    return (
        f"{text}, and takes at most {report.BEHIND_FACTOR:.2f} × the best in {others or 'none'}. "
        f"It is furthest behind in {case}: {ratio_text(factor)} × {peer}."
    )


def bars_section(results, drawn):
    parts = []
    for group, cases in report.grouped(results):
        title = report.GROUP_TITLES[group]
        own = []
        for what, pick in (("time", report.time_of), ("memory", report.peak_of)):
            name = f"{what}-{group}.svg"
            if name in drawn:
                own.append(shown(f"{what.capitalize()}, {title}", name))
                own.append(paragraph(f"{what.capitalize()}: {standing(results, cases, pick)}"))
        parts += [f"### {title.capitalize()}", *own] if own else []
    text = BARS.format(base=plots.base_of(results), limit=plots.BAR_LIMIT)
    return ["## Case by case", paragraph(text), *parts] if parts else []


def series_text(results, series, cases):
    """Says how ours grows over the series, and which peer is the best at its end."""
    grid = scaling.time_grid(results, cases)
    known = [case for case in cases if grid[case.name].get(OURS)]
    if not known:
        return ""
    first, last = known[0], known[-1]
    unit, axis = last.unit, scaling.axis_of(series)
    text = (
        f"{SERIES.get(series, ('', ''))[1]} With {OURS}, one operation takes "
        f"{number(grid[first.name][OURS])} {unit} at {first.x:,} "
        f"and {number(grid[last.name][OURS])} {unit} at {last.x:,} ({axis})."
    )
    peer, value = figures.best_peer(grid[last.name])
    return f"{text} The best peer there is {peer}, {number(value)} {unit}." if peer else text


def scaling_section(results, drawn):
    parts = []
    for series, cases in scaling.series_of(results.cases).items():
        name = f"scaling-{series}.svg"
        if name in drawn:
            title = SERIES.get(series, (f"Threads: {series}", ""))[0]
            parts += [f"### {title} (`{series}`)", shown(f"Scaling, {series}", name)]
            parts.append(paragraph(series_text(results, series, cases)))
    return ["## Scaling", paragraph(SCALING), *parts] if parts else []


def section(results, drawn):
    parts = [
        *scatter_section(results, drawn),
        *bars_section(results, drawn),
        *scaling_section(results, drawn),
    ]
    return "\n\n".join(part for part in parts if part) + "\n" if parts else ""
