"""Runs profile_target on the library, and ftm on it."""
import contextlib
import json
import os
import subprocess

FTM = os.environ["FT_FTM"]
TARGET = os.environ.get("FT_PROFILE_TARGET", "")
LIBRARY = os.environ.get("FT_LIBRARY_FILE", "")


class Target:
    """A process that does what it is told."""

    def __init__(self, process):
        self.process = process
        self.pid = process.pid

    def answer(self):
        line = self.process.stdout.readline()
        assert line == "ok\n", line

    def tell(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        if word != "quit":
            self.answer()


@contextlib.contextmanager
def running(program=None, **environment):
    """Starts the target, and waits until it has allocated all that it does by itself."""
    with subprocess.Popen([program or TARGET], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True,
                          env={**os.environ, "LD_PRELOAD": LIBRARY, **environment}) as process:
        target = Target(process)
        try:
            target.answer()
            yield target
        finally:
            process.kill()
            process.wait()


def ftm(*arguments, status=0):
    """Runs ftm; returns what it writes to standard output."""
    done = subprocess.run([FTM, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == status, (arguments, done.returncode, done.stderr.decode())
    return done.stdout if status == 0 else done.stderr


def ftm_json(*arguments):
    return json.loads(ftm(*arguments, "--json"))
