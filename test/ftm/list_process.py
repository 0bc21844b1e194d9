"""Runs list_target, and ftm on it."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import tempfile

FTM = os.environ["FT_FTM"]
TARGET = os.environ["FT_LIST_TARGET"]
STATIC_TARGET = os.environ.get("FT_LIST_TARGET_STATIC", "")
LINE = re.compile(r"(0x[0-9A-F]+) - (0x[0-9A-F]+) : (\d+) bytes")


class Process:
    """A target that is ready; `folder` has the files that it wrote."""

    def __init__(self, pid, folder):
        self.pid = pid
        self.folder = pathlib.Path(folder)

    def bytes_of(self, name):
        return (self.folder / name).read_bytes()

    def chunks(self):
        """What the process itself listed: (address, size) of each chunk."""
        return chunks_of(self.bytes_of("shown"))

    def kept(self):
        lines = (line.split() for line in self.bytes_of("kept").decode().splitlines())
        return {int(address, 16): int(size) for address, size in lines}

    def core(self):
        """Has gdb write a core file, and returns its path."""
        subprocess.run(["gcore", "-o", str(self.folder / "core"), str(self.pid)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return next(self.folder.glob("core.*"))


def chunks_of(listing):
    return [(int(start, 16), int(size)) for start, _, size in LINE.findall(listing.decode())]


def pid_of(word):
    """The process on the library that has the word in its command line."""
    listed = json.loads(run_ftm("ps", "--json").stdout)
    return next(item["pid"] for item in listed if word in item["command"])


@contextlib.contextmanager
def running(kind, target=None, prefix=(), **environment):
    """Starts the target, and ends it at the end."""
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [*prefix, target or TARGET, kind, folder], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, **environment}) as process:
        try:
            line = process.stdout.readline()
            pid = process.pid
            if line != "ready\n" and line:
                pid, line = int(line), process.stdout.readline()
            assert line == "ready\n", "the target is not ready"
            yield Process(pid_of(folder) if prefix else pid, folder)
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def run_ftm(*arguments, user=None):
    return subprocess.run([FTM, *map(str, arguments)], capture_output=True, check=False,
                          timeout=120, user=user)


def ftm(*arguments, status=0):
    """Returns what ftm prints; it must say nothing else."""
    done = run_ftm(*arguments)
    assert done.returncode == status, (arguments, done.returncode, done.stderr.decode())
    assert done.stderr == b"", done.stderr.decode()
    return done.stdout
