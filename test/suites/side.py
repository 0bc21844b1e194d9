"""Runs one check on one of the two allocators.

A run has its own directory and environment, and it proves which allocator served the programs.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(
    0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "preload")
)
import harness

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
FIRST_SECOND_PAUSE_S, PAUSE_S = 0.005, 0.1


class Outcome:
    """How a check ended. The answer is the part of its result that every allocator must give."""

    def __init__(self, status, seconds=0.0, detail="", answer=None):
        self.status, self.seconds, self.detail, self.answer = status, seconds, detail, answer


class Side(harness.Harness):
    """The harness of the preload tests, for either allocator.

    It prints no statistics, because some tests read stderr. `preload` lists our libraries, and is
    None for glibc's allocator.
    """

    def __init__(self, preload, directory, served):
        super().__init__(preload or "", directory)
        self.is_ours, self.served = preload is not None, served
        self.note = ""
        self.reports = self.write("reports", "")
        os.chmod(self.reports, 0o666)

    def _environment(self, preload, extra):
        environment = dict(self.environment, **(extra or {}))
        if preload and self.is_ours:
            environment.update(LD_PRELOAD=self.library, FT_SUITES_REPORTS=self.reports)
        return environment

    def require_no_report(self):
        """Checks that no process of ours reported anything, whatever became of it."""
        with open(self.reports, encoding="utf-8", errors="replace") as file:
            text = file.read()
        harness.check(not text, f"the library reported:\n{text[:4000]}")

    def require_served(self, *names):
        """Checks that these programs ran with our malloc on our side, and none on the other."""
        if not self.is_ours:
            harness.check(
                not self.served, f"on glibc's side the library was in {sorted(self.served)}"
            )
            return
        missing = [name for name in names if name not in self.served]
        harness.check(
            not missing, f"not seen on the library: {missing}; seen: {sorted(self.served)}"
        )


class Watcher:
    """Finds out which programs below this process are served by our malloc.

    They have our libraries mapped and no brk() heap. It looks often at first, because programs may
    be short, and because a child of a fork keeps its parent's name until it executes a program.
    """

    def __init__(self, preload):
        self.libraries, self.served = preload.split(":"), set()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def watch(self):
        start = time.monotonic()
        while not self.stop.is_set():
            with contextlib.suppress(OSError):
                for pid in harness.descendants(os.getpid()):
                    self.look(pid)
            self.stop.wait(FIRST_SECOND_PAUSE_S if time.monotonic() < start + 1 else PAUSE_S)

    def look(self, pid):
        with contextlib.suppress(OSError):
            # A file may have several names, so the name that started it counts as well.
            file = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            names = {file, harness.read_process_file(pid, "comm").strip()}
            if not names <= self.served:
                maps = harness.read_process_file(pid, "maps")
                if all(path in maps for path in self.libraries) and "[heap]" not in maps:
                    self.served |= names


def prepare_process():
    """Prepares this process once, so that it adopts orphans and ends checks that take too long."""
    harness.PRCTL(harness.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, harness.out_of_time)
    signal.signal(signal.SIGTERM, harness.interrupted)


def run_side(check, preload):
    """Runs a check on these libraries, or on glibc if `preload` is None."""
    directory = tempfile.mkdtemp(prefix="ft_malloc_suites.")
    # Another user must be able to read it, because some checks change to one.
    os.chmod(directory, 0o755)
    start = time.monotonic()
    status, detail, answer = FAILED, "", None
    try:
        signal.alarm(check.seconds)
        with Watcher(preload or "/libft_malloc.so") as watcher:
            side = Side(preload, directory, watcher.served)
            try:
                answer = check.function(side)
            finally:
                side.require_no_report()
            side.require_served(*check.served)
        status, detail = PASSED, side.note
    except harness.Skipped as reason:
        status, detail = SKIPPED, str(reason)
    except harness.Failed as reason:
        detail = str(reason)
    except Exception:
        detail = traceback.format_exc()
    finally:
        signal.alarm(0)
        seconds = time.monotonic() - start
        harness.stop_descendants()
        shutil.rmtree(directory, ignore_errors=True)
    return Outcome(status, seconds, detail, answer)
