"""Prints a line for each check as it ends, then a Markdown table and the counts of each program."""

from side import PASSED, SKIPPED

HEAD = ("program", "what was run", "passed with glibc", "passed with ours", "seconds")
LONGEST_REASON = 200


def verdict(outcome):
    return "-" if outcome is None else "yes" if outcome.status == PASSED else "no"


def cells(row):
    ours = row.ours
    seconds = f"{row.glibc.seconds:.1f}" + (f" / {ours.seconds:.1f}" if ours else "")
    return (row.check.program, row.check.what, verdict(row.glibc), verdict(ours), seconds)


def line(row):
    program, what, glibc, ours, seconds = cells(row)
    mark = "BROKEN" if row.is_broken else "left out" if row.is_left_out else ""
    sides = f"glibc {glibc:<4} ours {ours:<4}"
    return f"{program:<12} {what:<44.44} {sides} {seconds:>15} s {mark}".rstrip()


def markdown_row(values):
    return "| " + " | ".join(str(value).replace("|", "\\|") for value in values) + " |"


def markdown_table(head, rows):
    return [markdown_row(head), markdown_row("---" for _ in head), *map(markdown_row, rows)]


def counts(rows):
    """Counts, for each program, checks, passes with glibc and with ours, omissions and seconds."""
    found = {}
    for row in rows:
        count = found.setdefault(row.check.program, [0, 0, 0, 0, 0.0, 0.0])
        count[0] += 1
        count[3] += row.is_left_out
        count[4] += row.glibc.seconds
        if row.ours is not None:
            count[5] += row.ours.seconds
        if not row.is_left_out:
            count[1] += 1
            count[2] += row.ours.status == PASSED
    return found


def summary(rows):
    head = ("program", "checks", "passed with glibc", "of those with ours", "left out", "seconds")
    lines = [
        (program, total, glibc, ours, left_out, f"{seconds:.0f} / {our_seconds:.0f}")
        for program, (total, glibc, ours, left_out, seconds, our_seconds) in counts(rows).items()
    ]
    return markdown_table(head, lines)


def reason(detail):
    """Returns one line of a failure's text.

    It is the first line, or the last one after a command line, where programs say why they failed.
    """
    lines = [line.strip() for line in detail.splitlines() if line.strip()]
    if not lines:
        return ""
    chosen = lines[-1] if len(lines) > 1 and lines[1].startswith("ended with status") else lines[0]
    return chosen[:LONGEST_REASON]


def left_out(rows):
    """Lists the checks that prove nothing on this machine, with the reason."""
    found = []
    for row in rows:
        if row.excuse:
            found.append(f"{row.check.name}: {row.excuse}")
        elif row.glibc.status == SKIPPED:
            found.append(f"{row.check.name}: skipped: {reason(row.glibc.detail)}")
        elif row.glibc.status != PASSED:
            found.append(f"{row.check.name}: fails with glibc: {reason(row.glibc.detail)}")
    return found


def document(rows):
    text = ["# Other people's tests", "", *summary(rows), "", "## Each check", ""]
    compared = [(*cells(row), reason(row.ours.detail)) for row in rows if row.ours]
    text += markdown_table((*HEAD, "note"), compared)
    text += ["", "## Left out of the comparison", "", *(f"- {entry}" for entry in left_out(rows))]
    for row in rows:
        if row.is_broken:
            text += ["", f"## Broken: {row.check.name}", "", "```", row.ours.detail, "```"]
    return "\n".join(text) + "\n"
