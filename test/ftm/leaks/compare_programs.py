#!/usr/bin/env python3
"""Compares what ftm leaks and valgrind's memcheck find in whole programs, when they end: sqlite3,
git, CPython and redis. It takes a minute or two, so no test runs it; docs/DEBUGGING.md has results.

usage: compare_programs.py BUILD-DIRECTORY [sqlite3|git|git-diff|python3|redis]...
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SQL = """create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 2000)
insert into t(b) select hex(x) from c;
create index i on t(b);
select count(*), max(length(b)) from t;
"""
PYTHON = "import json, re, decimal; print(len(json.dumps({i: str(i) for i in range(1000)})))"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PROGRAMS = {
    "sqlite3": ["sqlite3", ":memory:"],
    "git": ["git", "-C", ROOT, "log", "-n", "50", "--stat"],
    "git-diff": ["git", "-C", ROOT, "diff", "HEAD~3"],
    "python3": ["/usr/bin/python3", "-c", PYTHON],
    "redis": ["redis-server", "--port", "0", "--save", "", "--unixsocket"],
}
KINDS = ("definitely lost", "indirectly lost", "possibly lost", "still reachable")
VALGRIND = ["valgrind", "--leak-check=full", "--show-leak-kinds=none", "--run-libc-freeres=no",
            "--run-cxx-freeres=no"]


def figures(text):
    """Returns {kind: (bytes, blocks)} of the last leak summary."""
    found = {}
    for kind in KINDS:
        pairs = re.findall(kind + r": ([\d,]+) bytes in ([\d,]+) blocks", text)
        found[kind] = tuple(int(one.replace(",", "")) for one in pairs[-1]) if pairs else None
    return found


def drive_redis(socket):
    """Sends commands, and then ends the server."""
    client = ["redis-cli", "-s", socket]
    deadline = time.time() + 60
    while subprocess.run([*client, "ping"], capture_output=True, check=False).returncode != 0:
        if time.time() > deadline:
            raise RuntimeError("redis-server does not answer")
        time.sleep(0.2)
    lines = "".join(f"set k{i} {'v' * (i % 300)}\nlpush l{i % 10} {i}\nhset h{i % 7} f{i} {i}\n"
                    for i in range(1000))
    subprocess.run(client, input=lines, text=True, capture_output=True, check=True)
    subprocess.run([*client, "shutdown", "nosave"], capture_output=True, check=False)


def run(before, name, folder):
    """Runs the program after these words. Returns what was written to standard error."""
    program = list(PROGRAMS[name])
    environment = dict(os.environ, PYTHONMALLOC="malloc", PYTHONHASHSEED="0", GIT_PAGER="cat")
    path = os.path.join(folder, "stderr")
    if name == "redis":
        program.append(os.path.join(folder, "socket"))
    with open(path, "w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen([*before, *program], stdin=subprocess.PIPE, stderr=errors,
                              stdout=subprocess.DEVNULL, env=environment) as process:
            if name == "redis":
                drive_redis(program[-1])
            process.communicate(SQL.encode() if name == "sqlite3" else b"")
        errors.seek(0)
        return errors.read()


def show(figure):
    return "nothing" if figure is None else f"{figure[0]:,} in {figure[1]:,}"


def main():
    ftm = os.path.join(os.path.abspath(sys.argv[1]), "ftm")
    wanted = sys.argv[2:] or list(PROGRAMS)
    print(f"{'program':10} {'bytes in blocks':17} {'ftm leaks':>22} {'memcheck':>22}")
    for name in wanted:
        if shutil.which(PROGRAMS[name][0]) is None:
            print(f"{name:10} is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            ours = figures(run([ftm, "run", "--quiet", "--leaks", "--"], name, folder))
            theirs = figures(run(VALGRIND, name, folder))
        for kind in KINDS:
            print(f"{name:10} {kind:17} {show(ours[kind]):>22} {show(theirs[kind]):>22}")


main()
