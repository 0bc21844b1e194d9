"""CPython's own tests, one check for each file. malloc serves every allocation of python."""

import functools
import os
import re
import subprocess

import harness
from compare import Check

# Tests of sockets between virtual machines. Where these exist, tests of two processes disturb each
# other or hang.
ARGUMENTS = {"test_socket": ["-i", "*VSOCK*"]}
WANTED = (
    "test_threading",
    "test_multiprocessing_fork",
    "test_json",
    "test_gc",
    "test_sqlite3",
    "test_ssl",
)
RAN = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
FAILED = re.compile(r"^(?:FAIL|ERROR): (\S+)", re.MULTILINE)
LIMIT_S = 400
# Tests of Windows, macOS, graphical toolkits and the network, which would be skipped here anyway.
NOT_HERE = re.compile(
    "test_(idle|tk|ttk|tix|turtle|tcl|kqueue|launcher|msilib|osx|winreg|winsound"
    "|winconsoleio|startfile"
    "|ossaudiodev|smtpnet|urllib2net|urllibnet|xmlrpc_net|nis|bigaddrspace|_osx_support|dtrace|gdb)"
)


def files():
    try:
        command = [harness.program("python3"), "-m", "test", "--list-tests"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (harness.Skipped, subprocess.SubprocessError):
        return []
    return [name for name in done.stdout.split() if not NOT_HERE.match(name)]


def run_file(name, side):
    command = [harness.program("python3"), "-m", "test", "-v", *ARGUMENTS.get(name, []), name]
    os.mkdir(side.path("work"))
    options = {"env": {"PYTHONMALLOC": "malloc"}, "cwd": side.path("work"), "seconds": LIMIT_S}
    result = side.run(command, expected=range(-64, 256), **options)
    text = result.stdout + result.stderr
    side.check_no_complaint(text)
    failed = ", ".join(sorted(set(FAILED.findall(text)))) or f"status {result.status}"
    harness.check(result.status == 0, f"{failed}\n{text[-8000:]}")
    if "Tests result: SUCCESS" not in text or f"{name} skipped" in text:
        raise harness.Skipped("no test of it was run")
    ran = sum(map(int, RAN.findall(text)))
    side.note = f"{ran} tests" if ran else ""


def missing(name, _):
    raise harness.Skipped(
        f"python3 -m test lacks {name}: not in libpython3.11-testsuite, or not installed"
    )


def checks():
    """Lists the tests. Those that were requested by name are listed even if they are missing."""
    listed, seconds = files(), LIMIT_S + 20
    found = [
        Check("CPython", name, functools.partial(run_file, name), ["python3.11"], seconds)
        for name in listed
    ]
    for name in WANTED:
        if name not in listed:
            found.append(Check("CPython", name, functools.partial(missing, name), []))
    return found
