"""docs/BENCHMARKS.md: everything in it is measured, save docs/bench/notes.md, which is written by hand."""

import os

import report
import scaling
from allocators import OURS
from progress import duration
from tables import as_markdown

HEAD = """# Benchmarks

Written by `./ft bench --write-docs` from one run: do not edit. What is concluded from it is in
`docs/bench/notes.md`, which is included here.
"""


def machine_section(results):
    setting = results.setting
    lines = [
        "## Machine and versions",
        "",
        "| what | which |",
        "| --- | --- |",
        f"| processor | {setting['processor']}, {setting['cores']} cores, {setting['memory']} |",
        f"| system | {setting['system']}, {setting['kernel']}, {setting['compiler']} |",
        f"| date | {setting['date']}, load average at the start {setting['load']} |",
        f"| command | `{setting['command']}`, {duration(setting['seconds'])} |",
    ]
    lines += [
        f"| {allocator.name} | {setting['versions'][allocator.name]} |"
        for allocator in results.allocators
    ]
    return "\n".join(lines) + "\n"


def method_section(results):
    setting = results.setting
    return f"""## Method
- {setting['rounds']} rounds of every case under each allocator ({setting['scaling_rounds']} of those for
  scaling), interleaved, the order of the allocators rotating; one untimed run of each case comes before. Time
  is the minimum of the rounds, memory the median.
- A program of `bench/` calibrates itself and takes the quickest of {setting['reps']} repetitions of
  {setting['ms']} ms. The operation of a whole program is a run, unless its line says otherwise; its output is
  checked.
- Peak memory is the resident set at its highest. Processor time is that of all threads, with the kernel's
  work for them.
- System calls are counted by strace in separate runs, as the difference between a short and a longer run, so
  that the start of the process is not in them; page faults likewise, without strace. In cases with threads
  strace changes who waits for whom, so the calls other than those for memory are rough there.
- Means are geometric, over the cases that finished under all allocators. "ours/best" compares with the peer
  that is best in that line; in a row of means it is the mean of these ratios.

[bench/README.md](../bench/README.md) describes the cases.
"""


def plots_section(title, names, plots):
    shown = [f"![{title}](bench/{name})" for name in names if name in plots]
    return "\n".join(shown) + "\n" if shown else ""


def tables_section(title, tables, level=3):
    parts = [as_markdown(table, level) for table in tables]
    return "\n".join([f"## {title}", "", *parts]) if parts else ""


def problems_section(results):
    lines = [
        f"- {case} under {allocator}: {failure.splitlines()[0]}"
        for (case, allocator), failure in results.failures.items()
    ]
    lines += [f"- {note}" for note in results.notes]
    return "\n".join(["## What failed or is missing", "", *(lines or ["Nothing."])]) + "\n"


def notes_section(notes_path):
    if not os.path.isfile(notes_path):
        return ""
    with open(notes_path, encoding="utf-8") as file:
        return file.read()


def document(results, plots, notes_path):
    groups = [group for group, _ in report.grouped(results)]
    sections = [
        HEAD,
        notes_section(notes_path),
        machine_section(results),
        method_section(results),
        tables_section("Summary", report.summary_tables(results)),
        plots_section("Time against memory", ["scatter.svg"], plots),
        tables_section(f"Where {OURS} is behind", report.behind_tables(results)),
        tables_section("Time", report.time_tables(results)),
        plots_section("Time", [f"time-{group}.svg" for group in groups], plots),
        tables_section("Peak memory", report.memory_tables(results)),
        plots_section("Peak memory", [f"memory-{group}.svg" for group in groups], plots),
        tables_section("Scaling", scaling.tables(results)),
        plots_section("Scaling", [name for name in plots if name.startswith("scaling-")], plots),
        tables_section("System calls and page faults", report.count_tables(results)),
        tables_section("Processor time", report.processor_tables(results)),
        tables_section("Further figures", report.extra_tables(results)),
        tables_section("Noise", report.median_tables(results)),
        problems_section(results),
    ]
    return "\n".join(section for section in sections if section)


def write(results, plots, docs_folder):
    path = os.path.join(docs_folder, "BENCHMARKS.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write(document(results, plots, os.path.join(docs_folder, "bench", "notes.md")))
    return path
