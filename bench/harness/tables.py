"""Holds a table as data, and writes it as aligned text for the terminal or as Markdown."""

from dataclasses import dataclass, field

MISSING = "-"
WINNER = "winner"  # the head of a column whose cells name other columns


@dataclass
class Table:
    title: str
    heads: list  # of all columns; the first column names the rows
    rows: list  # of lists of texts
    feet: list = field(default_factory=list)  # rows below a rule
    about: str = ""  # a line above the table


def number(value):
    """Returns about three significant digits, never an exponent."""
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    for limit, form in ((0.1, ".3f"), (10, ".2f"), (100, ".1f")):
        if abs(value) < limit:
            return format(value, form)
    return format(value, ".0f")


def ratio_text(value):
    return MISSING if value is None else f"{value:.2f}"


def percent(value):
    return MISSING if value is None else f"{100 * value:.0f} %"


def as_text(table):
    everything = [table.heads, *table.rows, *table.feet]
    widths = [max(len(row[index]) for row in everything) for index in range(len(table.heads))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def line(row):
        first, *others = (
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths))
        )
        return "  ".join([first, *others]).rstrip()

    lines = [table.title, *([table.about] if table.about else []), line(table.heads), rule]
    lines += map(line, table.rows)
    if table.feet:
        lines += [rule, *map(line, table.feet)]
    return "\n".join(lines) + "\n"


def markdown_line(cells):
    return "| " + " | ".join(cells) + " |"


def with_bold_winner(heads, row):
    """Prints the value of the column that the row's last cell names in bold."""
    return [f"**{cell}**" if head == row[-1] else cell for head, cell in zip(heads, row)]


def as_markdown(table, level=3):
    rows = table.rows + table.feet
    if table.heads[-1] == WINNER:
        rows = [with_bold_winner(table.heads, row) for row in rows]
    lines = [f"{'#' * level} {table.title}", "", *([table.about, ""] if table.about else [])]
    lines += [markdown_line(table.heads), "| --- |" + " ---: |" * (len(table.heads) - 1)]
    return "\n".join([*lines, *map(markdown_line, rows)]) + "\n"
