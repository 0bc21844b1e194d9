"""Writes scripts for gnuplot: horizontal bars, scatter plots, and lines.

This module takes numbers and names, and knows nothing of benchmarks. The background is white. The
colours differ in lightness as well as in hue, and ours is the strongest of them.
"""

import math
import shutil
import subprocess

from allocators import GLIBC, MIMALLOC, OURS

COLOURS = {
    OURS: "#d1340b",
    GLIBC: "#8c8c8c",
    MIMALLOC: "#1f6fb4",
    "jemalloc": "#2a9d6f",
    "tcmalloc": "#e8a317",
    "tbbmalloc": "#a05fb4",
}
SPARE_COLOURS = ("#17becf", "#5a3a22", "#e377c2", "#3d3d9e")
MARKS = (7, 5, 9, 11, 13, 15)  # filled circle, square, triangles, rhombus, pentagon
FONT = "DejaVu Sans,Helvetica,Arial,sans-serif"
INK, PALE, BAND = "#303030", "#d0d0d0", "#f4f4f4"

# In pixels. NAME_WIDTH is the width of a letter in a case's name.
BAR_HEIGHT, BAR_PANEL_WIDTH, NAME_WIDTH = 9, 620, 7
PANEL_WIDTH, PANEL_HEIGHT = 460, 340
LEGEND_TOP = 36  # from the upper edge to its middle, below a title
MOST_ROWS_IN_ONE_COLUMN = 14
GAP = 1.2  # between two cases, in bars


def problem():
    if not shutil.which("gnuplot"):
        return "gnuplot is not installed (--install-peers installs it): no plots are drawn"
    return None


def draw(script, path):
    """Runs a script; returns gnuplot's complaint, or None."""
    done = subprocess.run(
        ["gnuplot"],
        input=f"set output {quoted(path)}\n{script}\nunset output\n",
        text=True,
        capture_output=True,
        check=False,
    )
    return done.stderr.strip() if done.returncode != 0 else None


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def colours(names):
    spare = iter(SPARE_COLOURS * len(names))
    return {name: COLOURS.get(name) or next(spare) for name in names}


def terminal(width, height):
    return "\n".join(
        (
            f"set terminal svg size {width:.0f},{height:.0f} noenhanced "
            f"font {quoted(FONT + ',11')} "
            "background rgb 'white'",
            f"set border 3 linecolor rgb {quoted(INK)}",
            f"set grid linecolor rgb {quoted(PALE)} linetype 1 linewidth 0.5",
            "set tics nomirror",
            f"set style line 1 linecolor rgb {quoted(INK)}",
        )
    )


def legend(entries, width, height, top=LEGEND_TOP):
    """Draws the (name, colour) pairs in one row at the top, as labels and small rectangles."""
    lines, left = [], 16
    for index, (name, colour) in enumerate(entries, 1):
        box = (
            f"from screen {left / width}, screen {1 - (top + 5.5) / height} "
            f"to screen {(left + 11) / width}, screen {1 - (top - 5.5) / height}"
        )
        lines.append(
            f"set object {index} rectangle {box} fillcolor rgb {quoted(colour)} fillstyle solid "
            "noborder front"
        )
        lines.append(
            f"set label {index} {quoted(name)} at screen {(left + 16) / width}, "
            f"screen {1 - top / height} left front"
        )
        left += 32 + 6.8 * len(name)
    return lines


def heading(title, width, height):
    place = f"screen {16 / width}, screen {1 - 16 / height}"
    return f"set label 100 {quoted(title)} at {place} left font ',13' front"


def clear_legend(entries):
    numbers = range(1, len(entries) + 1)
    return [
        "unset label 100",
        *(f"unset object {number}\nunset label {number}" for number in numbers),
    ]


def split_columns(rows):
    """Returns the rows as one column, or as two of the same height."""
    if len(rows) <= MOST_ROWS_IN_ONE_COLUMN:
        return [rows]
    middle = math.ceil(len(rows) / 2)
    return [rows[:middle], rows[middle:]]


def bars(title, rows, names, base, limit):
    """Draws rows, which are (row's name, {name: value}).

    A bar above the limit is cut, and its value is written beside it.
    """
    columns = split_columns(rows)
    tallest = max(map(len, columns))
    width = BAR_PANEL_WIDTH * len(columns)
    height = 90 + tallest * (len(names) + GAP) * BAR_HEIGHT
    entries = [*colours(names).items(), (f"{base} = 1", INK)]
    script = [
        terminal(width, height),
        "set multiplot",
        *legend(entries, width, height),
        heading(title, width, height),
    ]
    for index, column in enumerate(columns):
        script += bar_panel(column, names, limit, index, len(columns), tallest, height)
        script += clear_legend(entries) if index == 0 else []
    return "\n".join([*script, "unset multiplot"])


def bar_panel(rows, names, limit, index, panels, tallest, height):
    pitch = len(names) + GAP
    margin = 16 + NAME_WIDTH * max(len(name) for name, _ in rows)
    left = (index * BAR_PANEL_WIDTH + margin) / (panels * BAR_PANEL_WIDTH)
    right = ((index + 1) * BAR_PANEL_WIDTH - 36) / (panels * BAR_PANEL_WIDTH)
    tics = ", ".join(f"{quoted(name)} {-number * pitch}" for number, (name, _) in enumerate(rows))
    lines = [
        f"set lmargin at screen {left}",
        f"set rmargin at screen {right}",
        f"set tmargin at screen {1 - 56 / height}",
        f"set bmargin at screen {28 / height}",
        f"set xrange [0:{limit}]",
        f"set yrange [{-(tallest - 0.5) * pitch}:{pitch / 2}]",
        f"set ytics scale 0 ({tics})",
        "set xtics 0.5",
        "set grid xtics noytics",
    ]
    lines += band_lines(rows, pitch, limit)
    lines += [
        f"$rows{name_index} << END\n"
        f"{bar_data(rows, name, name_index, len(names), pitch, limit)}\nEND"
        for name_index, name in enumerate(names)
    ]
    plots = [
        f"$rows{name_index} using 1:2:3:4:5:6 with boxxyerror fillstyle solid noborder "
        f"linecolor rgb {quoted(colour)} notitle"
        for name_index, colour in enumerate(colours(names).values())
    ]
    plots.append(
        f"'+' using (1):(-{(tallest - 0.5) * pitch} + {tallest * pitch} * $0 / 99.0) with lines "
        f"linecolor rgb {quoted(INK)} linewidth 1.2 notitle"
    )
    lines += cut_labels(rows, names, pitch, limit)
    lines.append("plot " + ", ".join(plots))
    return lines + [f"unset object {200 + number}" for number in range(len(rows))] + ["unset label"]


def band_lines(rows, pitch, limit):
    """Puts a pale band behind every second case."""
    return [
        f"set object {200 + number} rectangle from 0, {-(number - 0.5) * pitch} "
        f"to {limit}, {-(number + 0.5) * pitch} behind "
        f"fillcolor rgb {quoted(BAND)} fillstyle solid noborder"
        for number in range(0, len(rows), 2)
    ]


def bar_centre(row_index, name_index, count, pitch):
    return -row_index * pitch - name_index + (count - 1) / 2


def bar_data(rows, name, name_index, count, pitch, limit):
    lines = []
    for row_index, (_, row) in enumerate(rows):
        value = row.get(name)
        if value:
            centre = bar_centre(row_index, name_index, count, pitch)
            end = min(value, limit)
            lines.append(f"{end / 2} {centre} 0 {end} {centre - 0.42} {centre + 0.42}")
    return "\n".join(lines) or "NaN NaN NaN NaN NaN NaN"


def cut_labels(rows, names, pitch, limit):
    """Writes the values of bars that are cut, in their colour, to the right of the frame."""
    return [
        f"set label {quoted(f'{row[name]:.1f}')} at {limit * 1.01}, "
        f"{bar_centre(row_index, name_index, len(names), pitch)} left font ',8' "
        f"textcolor rgb {quoted(colour)} front"
        for row_index, (_, row) in enumerate(rows)
        for name_index, (name, colour) in enumerate(colours(names).items())
        if row.get(name) and row[name] > limit
    ]


def padded(values, share):
    """Returns the range of the values, with some room at both ends."""
    low, high = min(values), max(values)
    room = share * (high - low) or 0.1 * high
    return low - room, high + room


def overlaps(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def place_names(points, x_range, y_range):
    """Finds a place for each point's name beside the point, where it covers nothing else.

    Returns [(name, x, y)]; x and y are those of the name's centre, as shares of the panel.
    """

    def share(value, limits):
        return (value - limits[0]) / (limits[1] - limits[0])

    centres = [(share(x, x_range), share(y, y_range)) for _, x, y in points]
    taken = [(x - 0.015, y - 0.02, x + 0.015, y + 0.02) for x, y in centres]
    placed = []
    for (name, _, _), (x, y) in zip(points, centres):
        wide, high = 0.0095 * len(name), 0.03
        places = [(x, y + 0.06), (x, y - 0.06), (x + wide + 0.03, y), (x - wide - 0.03, y)]
        boxes = [(left - wide, low - high, left + wide, low + high) for left, low in places]
        free = [
            index
            for index, box in enumerate(boxes)
            if not any(overlaps(box, other) for other in taken)
        ]
        best = free[0] if free else 0
        taken.append(boxes[best])
        placed.append((name, *places[best]))
    return placed


def scatter(panels, x_label, y_label):
    """Draws panels, which are (title, [(name, x, y)])."""
    across = min(len(panels), 2)
    down = math.ceil(len(panels) / across)
    script = [
        terminal(PANEL_WIDTH * across, PANEL_HEIGHT * down),
        f"set multiplot layout {down},{across}",
        f"set xlabel {quoted(x_label)}",
        f"set ylabel {quoted(y_label)}",
        "set format '%g'",
    ]
    for title, points in panels:
        script += scatter_panel(title, points)
    return "\n".join([*script, "unset multiplot"])


def scatter_panel(title, points):
    x_range, y_range = (padded([point[axis] for point in points], 0.2) for axis in (1, 2))
    paint = colours([name for name, _, _ in points])
    script = [
        "unset label",
        f"set title {quoted(title)} font ',13'",
        f"set xrange [{x_range[0]}:{x_range[1]}]",
        f"set yrange [{y_range[0]}:{y_range[1]}]",
    ]
    script += [
        f"set label {quoted(name)} at graph {x}, graph {y} center "
        f"textcolor rgb {quoted(paint[name])} front"
        for name, x, y in place_names(points, x_range, y_range)
    ]
    script += [f"$point{index} << END\n{x} {y}\nEND" for index, (_, x, y) in enumerate(points)]
    plots = [
        f"$point{index} using 1:2 with points linecolor rgb {quoted(paint[name])} pointtype 7 "
        f"pointsize {1.1 if name == OURS else 0.8} notitle"
        for index, (name, _, _) in enumerate(points)
    ]
    return script + ["plot " + ", ".join(plots)]


def thinned(places, most=8):
    """Keeps the places that are far enough apart to be named on a logarithmic axis."""
    step = math.log(max(places) / min(places)) / most
    kept = []
    for place in sorted(set(places)):
        if not kept or math.log(place / kept[-1]) >= 0.99 * step:
            kept.append(place)
    return kept


def log_tics(low, high):
    """Returns round numbers between low and high: powers of ten times 1, 2 and 5.

    If that would be too few, there are more.
    """
    steps = (1, 2, 5) if high / low > 6 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [
        step * 10.0**power
        for power in powers
        for step in steps
        if low <= step * 10.0**power <= high
    ]


def lines(panels, x_label, names):
    """Draws panels, which are (title, {name: [(x, y)]}). Both axes are logarithmic."""
    width, height = (580 if len(panels) == 1 else PANEL_WIDTH * len(panels)), PANEL_HEIGHT + 40
    script = [
        terminal(width, height),
        f"set multiplot layout 1,{len(panels)} "
        f"margins screen {56 / width}, screen {1 - 28 / width}, "
        f"screen {46 / height}, screen {1 - 70 / height} spacing screen {70 / width}",
        *legend(colours(names).items(), width, height, top=16),
        "unset key",
        "set logscale x 2",
        "set logscale y 10",
        f"set xlabel {quoted(x_label)}",
    ]
    for title, series in panels:
        script += lines_panel(title, series, names)
        script += clear_legend(names)
    return "\n".join([*script, "unset multiplot"])


def lines_panel(title, series, names):
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    low, high = min(ys) / 1.25, max(ys) * 1.25
    x_tics = ", ".join(f"{quoted(short_number(x))} {x}" for x in thinned(xs))
    y_tics = ", ".join(f"{quoted(format(y, 'g'))} {y}" for y in log_tics(low, high))
    script = [
        f"set title {quoted(title)} font ',13'",
        f"set xtics ({x_tics})",
        f"set ytics ({y_tics})",
        f"set xrange [{min(xs) / 1.15}:{max(xs) * 1.15}]",
        f"set yrange [{low}:{high}]",
    ]
    plots = []
    for index, (name, colour) in enumerate(colours(names).items()):
        if series[name]:
            data = "\n".join(f"{x} {y}" for x, y in series[name])
            script.append(f"$line{index} << END\n{data}\nEND")
            plots.append(
                f"$line{index} using 1:2 with linespoints linecolor rgb {quoted(colour)} "
                f"linewidth {2.5 if name == OURS else 1.5} pointtype {MARKS[index % len(MARKS)]} "
                "pointsize 0.6"
            )
    return [*script, "plot " + ", ".join(plots)]


def short_number(value):
    """Shortens a number for the tics of an axis: 1000 is 1k, and 1048576 or just above is 1Mi."""
    for power, binary, decimal in ((3, "Gi", "G"), (2, "Mi", "M"), (1, "Ki", "k")):
        if value >= 1000**power and value % 1000**power == 0:
            return f"{value // 1000**power}{decimal}"
        if value >= 1024**power:
            return f"{value / 1024**power:.3g}{binary}"
    return str(value)
