"""Shared by the preload tests: runs real programs on the library, and removes what they leave.

A test is a function that takes a Harness. run_test() gives it a temporary directory and a time
limit, and exits with the status that ctest expects (0 passed, 1 failed, 77 skipped). A program was
served if the line that FT_MALLOC_STATS=1 prints at exit shows enough calls. A live program is
served if its memory map has the library and no brk() heap. At the end the harness stops every
process below the test, daemons and orphans included, by its id and only if it is ours.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

SKIPPED = 77
STATS_LINE = re.compile(r"ft_malloc: stats: (\w+ \d+(?: \w+ \d+)*)")
COMPLAINT = re.compile(r"^ft_malloc: (?!stats: ).*$", re.MULTILINE)
PRCTL = ctypes.CDLL(None).prctl
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


class Failed(Exception):
    """The program or the library did not do what the test expects."""


class Skipped(Exception):
    """The program under test is not installed."""


class Stats(dict):
    """The figures of one line of statistics: malloc, free, bytes, arenas and so on."""

    @property
    def allocations(self):
        return sum(self.get(name, 0) for name in ("malloc", "calloc", "realloc", "aligned"))


def check(condition, message):
    if not condition:
        raise Failed(message)


def program(name):
    """Returns the path of the distribution's program of that name, whatever else PATH may hold."""
    path = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
    if path is None:
        raise Skipped(f"{name} is not installed")
    return path


def parse_stats(text):
    found = []
    for line in STATS_LINE.findall(text):
        words = line.split()
        found.append(Stats(zip(words[::2], map(int, words[1::2]))))
    return found


def without_library_lines(text):
    return "".join(
        line for line in text.splitlines(True) if not line.startswith("ft_malloc: stats: ")
    )


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise Failed(f"{what}: not within {seconds} s")


def accepts_connections(port):
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def read_process_file(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def descendants(root):
    """Returns the ids of all live processes below root, parents before children."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = read_process_file(entry, "stat").rpartition(")")[2].split()
            if len(fields) > 1 and fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


class Result:
    """The exit status and output of a finished program, and statistics of it and its children."""

    def __init__(self, command, status, stdout, stderr):
        self.command, self.status, self.stdout = command, status, stdout
        self.stats = parse_stats(stderr)
        self.stderr = without_library_lines(stderr)


class Server:
    """A program that runs until it is stopped. Its output is in a file in the test's directory."""

    def __init__(self, harness, process, log_path):
        self.harness, self.process, self.log_path = harness, process, log_path

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for_port(self, port):
        def ready():
            check(
                self.process.poll() is None,
                f"ended early, status {self.process.returncode}:\n{self.log()}",
            )
            return accepts_connections(port)

        wait_until(ready, 30, f"port {port} of {self.process.args[0]}")

    def stop(self, expected=(0,), stop_signal=signal.SIGTERM):
        """Ends the program in an orderly way. Returns the statistics of it and its children."""
        if stop_signal is not None:
            self.process.send_signal(stop_signal)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.process.args[0]} did not stop:\n{self.log()}") from None
        check(
            status in expected, f"{self.process.args[0]} ended with status {status}:\n{self.log()}"
        )
        self.harness.check_no_complaint(self.log())
        return parse_stats(self.log())


class Harness:
    """One test's library, directory and environment."""

    def __init__(self, library, directory):
        self.library, self.directory = library, directory
        self.environment = dict(
            os.environ, HOME=directory, TMPDIR=directory, LC_ALL="C.UTF-8", TZ="UTC"
        )
        for name in (
            "LD_PRELOAD",
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "DBUS_SESSION_BUS_ADDRESS",
            "PYTHONMALLOC",
        ):
            self.environment.pop(name, None)
        for name in [name for name in self.environment if name.startswith(("FT_MALLOC_", "GIT_"))]:
            del self.environment[name]

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def _environment(self, preload, extra):
        environment = dict(self.environment, **(extra or {}))
        if preload:
            environment.update(LD_PRELOAD=self.library, FT_MALLOC_STATS="1")
        return environment

    def run(self, command, preload=True, env=None, stdin="", seconds=120, cwd=None, expected=(0,)):
        """Runs a program to its end. Checks its exit status, and that the library was silent."""
        try:
            done = subprocess.run(
                command,
                input=stdin,
                env=self._environment(preload, env),
                cwd=cwd or self.directory,
                capture_output=True,
                timeout=seconds,
                encoding="utf-8",
                errors="replace",
                check=False,
                preexec_fn=die_with_parent,
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(
                f"{command[0]} still ran after {seconds} s; stderr: {error.stderr}"
            ) from None
        check(
            done.returncode in expected,
            f"{' '.join(command)[:300]}\nended with status {done.returncode}\n"
            f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}",
        )
        self.check_no_complaint(done.stderr)
        return Result(command, done.returncode, done.stdout, done.stderr)

    def run_both(self, command, **options):
        """Runs a program without and with the library, which must print the same.

        Returns the second result.
        """
        plain = self.run(command, preload=False, **options)
        served = self.run(command, **options)
        check(plain.stdout.strip(), f"{command[0]} printed nothing")
        check(
            served.stdout == plain.stdout,
            f"with the library:\n{served.stdout}\nwithout:\n{plain.stdout}",
        )
        return served

    def start(self, command, preload=True, env=None, cwd=None, log="server.log"):
        """Starts a server."""
        with open(self.path(log), "wb") as output:
            process = subprocess.Popen(
                command,
                env=self._environment(preload, env),
                cwd=cwd or self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
            )
        return Server(self, process, self.path(log))

    def check_no_complaint(self, text):
        complaint = COMPLAINT.search(text)
        check(complaint is None, f"the library complained: {complaint and complaint.group()}")

    def maps_library(self, pid):
        return os.path.basename(self.library) in read_process_file(pid, "maps")

    def check_served_live(self, pid):
        """Checks that a process uses our malloc: it has the library mapped and no brk() heap."""
        check(self.maps_library(pid), f"process {pid}: the library is not mapped")
        check(
            "[heap]" not in read_process_file(pid, "maps"),
            f"process {pid} has a brk() heap: malloc is not ours",
        )

    def check_served(self, stats, processes=1, allocations=1):
        """Checks that enough processes left a line, and that the busiest allocated enough."""
        check(
            len(stats) >= processes,
            f"{len(stats)} processes left a statistics line, expected {processes}: {stats}",
        )
        busiest = max(stats, key=lambda line: line.allocations)
        check(
            busiest.allocations >= allocations,
            f"expected {allocations} allocations, the busiest process: {busiest}",
        )
        print(
            f"served: {len(stats)} processes, "
            f"{sum(line.allocations for line in stats)} allocations, "
            f"busiest {busiest}"
        )
        return busiest


def die_with_parent():
    PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def reap():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def stop_descendants():
    """Stops all processes below this one.

    Processes that lost their parent have become children of this one, so a few rounds reach all.
    """
    for stop_signal in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, stop_signal)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            alive = descendants(os.getpid())
            reap()
            if not alive:
                return
            time.sleep(0.05)


def out_of_time(*_):
    raise Failed("the test's time is over")


def interrupted(*_):
    raise KeyboardInterrupt


def library_from_arguments():
    library = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FT_MALLOC_LIB", "")
    if not os.path.isfile(library):
        sys.exit(
            f"usage: {sys.argv[0]} LIBFT_MALLOC.SO (or FT_MALLOC_LIB): no such file: {library!r}"
        )
    return os.path.realpath(library)


def run_test(test, seconds=150):
    library = library_from_arguments()
    PRCTL(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, interrupted)
    directory = tempfile.mkdtemp(prefix="ft_malloc_preload.")
    status = 1
    try:
        signal.alarm(seconds)
        test(Harness(library, directory))
        status = 0
        print("passed")
    except Skipped as reason:
        status = SKIPPED
        print(f"skipped: {reason}")
    except Failed as reason:
        print(f"failed: {reason}")
    except Exception:
        traceback.print_exc(file=sys.stdout)
    finally:
        signal.alarm(0)
        stop_descendants()
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(status)
