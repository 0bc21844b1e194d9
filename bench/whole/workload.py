"""Shared by the scripts of whole programs: their environment, inputs, and measured processes.

A script is a `with Workload() as workload:` block. It starts programs with start() or run(), checks
what they did with check(), and ends with report(). When the block ends, in whatever way, no process
that it started is left, and no file outside BENCH_WORK.
"""

import argparse
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

SKIPPED = 77  # the exit status that tells the runner that the program is not installed
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
C_LIBRARY = "libc.so.6"
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "bench")
INPUTS = os.path.join(HERE, "inputs")


class Failed(Exception):
    """The program did not do what it should, or it could not be run."""


class Cost(NamedTuple):
    ms: float
    peak_kib: int


def check(condition, problem):
    if not condition:
        raise Failed(problem)


def program(name):
    """Returns the path of the distribution's program, whatever else PATH may hold.

    If there is none, the script ends.
    """
    path = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
    if path is None:
        print(f"{name} is not installed", file=sys.stderr)
        sys.exit(SKIPPED)
    return path


def wait_until(condition, seconds, what):
    """Waits for a true value and returns it."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        check(time.monotonic() < end, f"no {what} after {seconds} s")
        time.sleep(0.01)
    return value


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def children_of(pid):
    try:
        return [int(child) for child in read_file(f"/proc/{pid}/task/{pid}/children").split()]
    except OSError:
        return []


def descendants(pid):
    for child in children_of(pid):
        yield child
        yield from descendants(child)


def end_children():
    """Kills the children, and what they leave behind, which becomes a child of this process."""
    while children := children_of(os.getpid()):
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


class Measured:
    """A program that runs under `measure`, with or without the allocator under test."""

    def __init__(self, command, environment, log_path, report_path):
        self.log_path, self.report_path = log_path, report_path
        self.start = time.monotonic()
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def log(self):
        return read_file(self.log_path)

    def failure(self):
        last_line = self.log().decode(errors="replace").strip().rpartition("\n")[2]
        return f"exit status {self.process.poll()}: {last_line or 'no output'}"

    def is_running(self):
        return self.process.poll() is None

    def finish(self, seconds=120):
        """Waits for the program's end, which must be a successful one."""
        self.process.wait(seconds)
        check(self.process.returncode == 0, self.failure())
        wall_ns, _, _, peak_kib, *_ = (int(field) for field in read_file(self.report_path).split())
        return Cost(wall_ns / 1e6, peak_kib)


class Workload:
    def __init__(self, **positional):
        """Parses the script's command line: --name NAME, then the arguments with their choices."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--name", default=os.path.basename(sys.argv[0]))
        for argument, choices in positional.items():
            parser.add_argument(argument, choices=choices)
        self.arguments = parser.parse_args()
        # Preload the C library, too, because some programs are linked with another allocator.
        self.preload = os.environ.get("BENCH_PRELOAD") or C_LIBRARY
        pairs = os.environ.get("BENCH_TUNING", "").split(",")
        self.tuning = dict(pair.split("=", 1) for pair in pairs if pair)
        self.measure = os.path.join(os.environ.get("BENCH_BUILD", PROGRAMS), "measure")

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        self.folder = tempfile.mkdtemp(prefix="whole-", dir=os.environ.get("BENCH_WORK"))
        self.work = os.environ.get("BENCH_WORK", self.folder)
        return self

    def __exit__(self, kind, problem, _):
        end_children()
        shutil.rmtree(self.folder, ignore_errors=True)
        if kind and issubclass(kind, (Failed, OSError, subprocess.SubprocessError)):
            sys.exit(f"{self.arguments.name}: {problem}")

    def path(self, name):
        """Returns the path of a file for this run only."""
        return os.path.join(self.folder, name)

    def kept(self, name, make):
        """Returns the path of a file of BENCH_WORK. make() gives its content the first time."""
        path = os.path.join(self.work, name)
        if not os.path.exists(path):
            with open(self.path(name), "wb") as file:
                file.write(make())
            os.replace(self.path(name), path)
        return path

    def generated(self, name, generator):
        """Returns the path of an input that a script of inputs/ prints."""
        command = [sys.executable, os.path.join(INPUTS, generator)]
        return self.kept(
            name, lambda: subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        )

    def environment(self, changes):
        """Returns an environment without the user's settings and folders."""
        own = {"HOME": self.folder, "TMPDIR": self.folder, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        inherited = ("PATH", "BENCH_REPORT", "BENCH_TRACE")
        return {
            **{key: os.environ[key] for key in inherited if key in os.environ},
            **own,
            **changes,
        }

    def start(self, command, environment=()):
        """Starts a program on the allocator under test."""
        report = self.path("report")
        launcher = [self.measure, "--preload", self.preload, "--report", report, "--"]
        changes = {**dict(environment), **self.tuning}
        return Measured([*launcher, *command], self.environment(changes), self.path("log"), report)

    def run(self, command, environment=(), seconds=120):
        """Runs a program unmeasured, on the C library's allocator, and returns its output."""
        ran = subprocess.run(
            command,
            env=self.environment(dict(environment)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
        last_line = ran.stdout.decode(errors="replace").strip().rpartition("\n")[2]
        check(ran.returncode == 0, f"{command[0]}: exit status {ran.returncode}: {last_line}")
        return ran.stdout

    def report(self, ms, peak_kib):
        check(ms > 0 and peak_kib > 0, f"impossible figures: {ms} ms, {peak_kib} KiB")
        print(f"{self.arguments.name} {ms:.4f} {peak_kib}")
