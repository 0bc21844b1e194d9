"""Which allocators take part: ours, the installed peers, those that the user names; does a preload
work?"""

import glob
import os
import subprocess
from typing import NamedTuple

OURS = "ft_malloc"
GLIBC = "glibc"
MIMALLOC = "mimalloc"
LIBC = "libc.so.6"
START_TIMEOUT_S = 60

# name: Debian package, pattern of the path of the library to preload
DEBIAN_PEERS = {
    MIMALLOC: ("libmimalloc2.0", "/usr/lib/*/libmimalloc.so.2.0"),
    "jemalloc": ("libjemalloc2", "/usr/lib/*/libjemalloc.so.2"),
    "tcmalloc": ("libtcmalloc-minimal4", "/usr/lib/*/libtcmalloc_minimal.so.4"),
    "tbbmalloc": ("libtbbmalloc2", "/usr/lib/*/libtbbmalloc_proxy.so.2"),
}
PACKAGES = tuple(package for package, _ in DEBIAN_PEERS.values())


class Allocator(NamedTuple):
    name: str
    library: str  # the preloaded file; empty for the C library's own
    package: str = ""  # Debian's, whose version is reported
    variables: str = ""  # that tune it: NAME=VALUE, with commas between

    def environment(self):
        """What it adds to clean_environment()."""
        return dict(pair.split("=", 1) for pair in self.variables.split(",") if pair)


def clean_environment():
    """The caller's environment, in which nothing is preloaded and no allocator is tuned."""
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
    """Returns the allocators, ours first, and a line for each that is not there."""
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
    """Asks a child (the program `whose`) which object serves malloc; returns what is wrong, or
    None."""
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
    """The allocators that are there and that really serve a program; and notes on those that are
    left out."""
    found, notes = collect(our_library, named_peers)
    working = []
    for allocator in found:
        problem = preload_problem(allocator, whose)
        if problem:
            notes.append(f"{problem} It is left out.")
        else:
            working.append(allocator)
    return working, notes
