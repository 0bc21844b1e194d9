"""Finds the allocators that take part, and checks that preloading them works.

They are ours, the installed peers, and those that the user names.
"""

import glob
import os
import subprocess
from typing import NamedTuple

OURS = "ft_malloc"
GLIBC = "glibc"
MIMALLOC = "mimalloc"
LIBC = "libc.so.6"
START_TIMEOUT_S = 60

# For each name: the Debian package, and a pattern for the path of the library to preload.
DEBIAN_PEERS = {
    MIMALLOC: ("libmimalloc2.0", "/usr/lib/*/libmimalloc.so.2.0"),
    "jemalloc": ("libjemalloc2", "/usr/lib/*/libjemalloc.so.2"),
    "tcmalloc": ("libtcmalloc-minimal4", "/usr/lib/*/libtcmalloc_minimal.so.4"),
    "tbbmalloc": ("libtbbmalloc2", "/usr/lib/*/libtbbmalloc_proxy.so.2"),
}
PACKAGES = tuple(package for package, _ in DEBIAN_PEERS.values())


class Allocator(NamedTuple):
    name: str
    library: str  # the file to preload; empty for the C library's own allocator
    package: str = ""  # the Debian package, whose version is reported
    variables: str = ""  # environment variables that tune it, NAME=VALUE separated by commas

    def environment(self):
        """Returns the variables that it needs in addition to clean_environment()."""
        return dict(pair.split("=", 1) for pair in self.variables.split(",") if pair)


def clean_environment():
    """Returns the caller's environment without preloads and variables that tune allocators."""
    tuned = (
        "LD_PRELOAD",
        "MALLOC_",
        "GLIBC_TUNABLES",
        "MIMALLOC_",
        "TCMALLOC_",
        "TBB_MALLOC_",
        "FT_MALLOC_",
        "BENCH_",
    )
    return {key: value for key, value in os.environ.items() if not key.startswith(tuned)}


def collect(our_library, named_peers):
    """Returns the allocators, ours first, and a line for each one that is missing."""
    found, notes = [], []
    if os.path.isfile(our_library):
        found.append(Allocator(OURS, os.path.realpath(our_library)))
    else:
        notes.append(
            f"{OURS}: no {our_library}: build it or name it with --lib; only the peers are measured"
        )
    found.append(Allocator(GLIBC, "", "libc6"))
    for name, (package, pattern) in DEBIAN_PEERS.items():
        paths = sorted(glob.glob(pattern))
        if paths:
            found.append(Allocator(name, os.path.realpath(paths[0]), package))
        else:
            notes.append(
                f"{name}: package {package} is not installed (--install-peers installs it)"
            )
    for name, path, variables in named_peers:
        if os.path.isfile(path):
            found.append(Allocator(name, os.path.realpath(path), variables=variables))
        else:
            notes.append(f"{name}: no such file: {path}")
    return found, notes


def preload_problem(allocator, whose):
    """Returns what is wrong with preloading the allocator, or None.

    A child, the program `whose`, tells which object serves malloc.
    """
    environment = {**clean_environment(), **allocator.environment()}
    if allocator.library:
        environment["LD_PRELOAD"] = allocator.library
    try:
        child = subprocess.run(
            [whose],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"{allocator.name}: a small program hangs under it."
    errors = child.stderr.strip()
    if child.returncode != 0:
        status = f"exit status {child.returncode}"
        return f"{allocator.name}: a small program fails under it ({status}). {errors}"
    for line in child.stdout.splitlines():
        function, path = line.split(" ", 1)
        if allocator.library:
            served = os.path.realpath(path) == allocator.library
        else:
            served = os.path.basename(path) == LIBC
        if not served:
            return (
                f"{allocator.name}: the preload has no effect: "
                f"{function} comes from {path}. {errors}"
            )
    return None


def select(our_library, named_peers, whose):
    """Returns the allocators that really serve a program, and notes on those that are left out."""
    found, notes = collect(our_library, named_peers)
    working = []
    for allocator in found:
        problem = preload_problem(allocator, whose)
        if problem:
            notes.append(f"{problem} It is left out.")
        else:
            working.append(allocator)
    return working, notes
