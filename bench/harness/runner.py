"""Runs one case once under one allocator, in its own process group, and reads its report.

Every program is started through `measure`, which preloads the allocator into that program only.
Scripts of whole programs call `measure` themselves.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

import protocol
from allocators import clean_environment
from cases import is_script
from results import Sample

TIMEOUT_S = 180
SKIPPED = 77  # exit status of a script whose program is not installed
ERROR_CHARACTERS = 400


class RunFailure(Exception):
    """The case did not give a result under that allocator."""


class RunSkipped(Exception):
    """The case cannot run on this machine."""


class Runner:
    def __init__(self, sources, programs):
        self.sources = sources  # bench/
        self.programs = programs  # build/bench/
        self.measure = os.path.join(programs, "measure")
        self.work = None  # a scratch directory for one run of the benchmarks

    def __enter__(self):
        self.work = tempfile.mkdtemp(prefix="ft-bench-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.work, ignore_errors=True)

    def path_of(self, case):
        return os.path.join(self.sources if is_script(case) else self.programs, case.command[0])

    def command(self, case, allocator, options):
        own = [self.path_of(case), "--name", case.name, *case.command[1:]]
        if is_script(case):
            return own
        report = ["--report", os.devnull]  # measure also writes the report to BENCH_REPORT
        return [self.measure, "--preload", allocator.library, *report, "--", *own, *options]

    def environment(self, allocator, report, trace):
        return {
            **clean_environment(),
            **allocator.environment(),
            "BENCH_PRELOAD": allocator.library,
            "BENCH_TUNING": allocator.variables,
            "BENCH_BUILD": self.programs,
            "BENCH_WORK": self.work,
            "BENCH_REPORT": report,
            "BENCH_TRACE": trace,
        }

    def run(self, case, allocator, options=(), trace=""):
        """Returns the program's line and measure's report. All programs know the options."""
        with tempfile.NamedTemporaryFile("r", dir=self.work, prefix="report-") as report:
            environment = self.environment(allocator, report.name, trace)
            output = run_group(self.command(case, allocator, options), environment, self.work)
            line = protocol.parse_line(output, case.name)
            cost = protocol.parse_report(report.read())
        if line is None:
            raise RunFailure(
                "no valid result line: " + (output.strip()[-ERROR_CHARACTERS:] or "no output")
            )
        if cost is None:
            raise RunFailure("it was not started through measure")
        return line, cost

    def sample(self, case, allocator, options=()):
        line, cost = self.run(case, allocator, options)
        if not (line.time > 0 and line.peak_kib > 0):
            raise RunFailure(f"impossible figures: {line}")
        return Sample(line.time, line.peak_kib, cost.wall_s, cost.cpu_s, cost.faults, line.extra)


def run_group(command, environment, directory):
    """Runs a command and returns its standard output. Nothing that it starts outlives this call."""
    try:
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise RunFailure(f"cannot be started: {error}") from None
    try:
        output, errors = child.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise RunFailure(f"no result after {TIMEOUT_S} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.returncode == SKIPPED:
        raise RunSkipped(errors.strip()[-ERROR_CHARACTERS:] or "it says that it cannot run here")
    if child.returncode != 0:
        raise RunFailure(f"exit status {child.returncode}: {errors.strip()[-ERROR_CHARACTERS:]}")
    return output
