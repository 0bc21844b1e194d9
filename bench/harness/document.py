"""Writes docs/BENCHMARKS.md from the results of a run and from docs/bench/notes.md.

Everything in it is measured, except the notes, which are written by hand.
"""

import os

import opening
import report
import scaling
from allocators import OURS
from progress import duration
from prose import item, paragraph
from tables import as_markdown

HEAD = """# Benchmarks

<!-- Generated. `./ft bench --write-docs` measures and writes this file; `bench/run --rewrite-docs`
writes it again from docs/bench/results.json. Conclusions belong into docs/bench/notes.md. -->
"""

INTRODUCTION = """{names} run the same {cases} programs, from loops around `malloc` to
whole applications. This page shows how long each takes and how much memory it occupies: first the
plots and what they mean, then what follows from them, then all tables."""


def introduction(results):
    names = report.names_of(results)
    if len(names) < 2:
        return ""
    text = INTRODUCTION.format(names=opening.listed(names), cases=len(results.main_cases()))
    return paragraph(text) + "\n"


def machine_section(results):
    setting = results.setting
    system = f"{setting['system']}, {setting['kernel']}, {setting['compiler']}"
    lines = [
        "## Machine and versions",
        "",
        "| what | which |",
        "| --- | --- |",
        f"| processor | {setting['processor']}, {setting['cores']} cores, {setting['memory']} |",
        f"| system | {system} |",
        f"| date | {setting['date']}, load average at the start {setting['load']} |",
        f"| command | `{setting['command']}`, {duration(setting['seconds'])} |",
    ]
    lines += [
        f"| {allocator.name} | {setting['versions'][allocator.name]} |"
        for allocator in results.allocators
    ]
    return "\n".join(lines) + "\n"


METHOD = (
    """The runner runs every case {rounds} times under each allocator ({scaling_rounds} times in the
    scaling cases). It interleaves these rounds and rotates the order of the allocators. Before the
    first round each case runs once, untimed. The time in a table is the minimum of the rounds, the
    memory is the median.""",
    """A program of `bench/` calibrates itself and reports the quickest of {reps} repetitions of
    {ms} ms. The operation of a whole program is one run of it, unless its line says otherwise. A
    script checks its output.""",
    """Peak memory is the resident set at its highest. Processor time is that of all threads, and
    includes the work that the kernel does for them.""",
    """strace counts system calls in separate runs. A short run is subtracted from a longer one, so
    that the start of the process does not count. Page faults are counted in the same way, without
    strace. strace changes which thread waits for which, so in cases with threads only the calls
    for memory are exact.""",
    """Means are geometric, over the cases that finished under all allocators. "ours/best" compares
    with the best peer of that line; in a row of means it is the mean of these ratios.""",
)


def method_section(results):
    items = [item(text.format(**results.setting)) for text in METHOD]
    pointer = "[bench/README.md](../bench/README.md) describes the cases."
    return "\n".join(["## Method", *items, "", pointer]) + "\n"


def tables_section(title, tables, level=3):
    parts = [as_markdown(table, level) for table in tables]
    return "\n".join([f"## {title}", "", *parts]) if parts else ""


def problems_section(results):
    lines = [
        item(f"{case} under {allocator}: {failure.splitlines()[0]}")
        for (case, allocator), failure in results.failures.items()
    ]
    lines += [item(note) for note in results.notes]
    return "\n".join(["## What failed or is missing", "", *(lines or ["Nothing."])]) + "\n"


def notes_section(notes_path):
    if not os.path.isfile(notes_path):
        return ""
    with open(notes_path, encoding="utf-8") as file:
        return file.read().replace("](../", "](")  # its links start from a folder further down


def document(results, drawn, notes_path):
    """Returns the text. `drawn` names the plots that exist."""
    sections = [
        HEAD,
        introduction(results),
        opening.section(results, drawn),
        notes_section(notes_path),
        machine_section(results),
        method_section(results),
        tables_section("Summary", report.summary_tables(results)),
        tables_section(f"Where {OURS} is behind", report.behind_tables(results)),
        tables_section("Time", report.time_tables(results)),
        tables_section("Peak memory", report.memory_tables(results)),
        tables_section("Scaling", scaling.tables(results)),
        tables_section("System calls and page faults", report.count_tables(results)),
        tables_section("Processor time", report.processor_tables(results)),
        tables_section("Further figures", report.extra_tables(results)),
        tables_section("Noise", report.median_tables(results)),
        problems_section(results),
    ]
    return "\n".join(section for section in sections if section)


def write(results, drawn, docs_folder):
    path = os.path.join(docs_folder, "BENCHMARKS.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write(document(results, drawn, os.path.join(docs_folder, "bench", "notes.md")))
    return path
