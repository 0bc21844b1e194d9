"""Which allocators take part: ours, the installed peers, those that the user names; does a preload work?"""

import glob
import os
import shutil
import subprocess
from typing import NamedTuple

OURS = "ft_malloc"
REFERENCE = "mimalloc"
LIBC = "libc.so.6"
START_TIMEOUT_S = 60

# name: Debian package, pattern of the library's path
DEBIAN_PEERS = {
    REFERENCE: ("libmimalloc2.0", "/usr/lib/*/libmimalloc.so.2.0"),
    "jemalloc": ("libjemalloc2", "/usr/lib/*/libjemalloc.so.2"),
    "tcmalloc": ("libtcmalloc-minimal4", "/usr/lib/*/libtcmalloc_minimal.so.4"),
}


class Allocator(NamedTuple):
    name: str
    library: str  # the preloaded file; empty for the C library's own


def environment(allocator):
    """The caller's environment with this allocator preloaded and no other."""
    result = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    if allocator.library:
        result["LD_PRELOAD"] = allocator.library
    return result


def install_peers():
    """Installs the missing Debian peers; returns a message if that cannot be done, else None."""
    missing = [package for package, pattern in DEBIAN_PEERS.values() if not glob.glob(pattern)]
    if not missing:
        return None
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            return "to install the peers, run as root: " + " ".join(command)
        command.insert(0, "sudo")
    try:
        installed = subprocess.run(command, check=False).returncode == 0
    except FileNotFoundError:
        installed = False
    return None if installed else "could not install the peers: " + " ".join(command)


def collect(our_library, named_peers):
    """Returns the allocators, ours first, and a line for each that is not there."""
    found, notes = [], []
    if os.path.isfile(our_library):
        found.append(Allocator(OURS, os.path.realpath(our_library)))
    else:
        notes.append(f"{OURS}: no {our_library}: build it or name it with --lib; only the peers are measured")
    found.append(Allocator("glibc", ""))
    for name, (package, pattern) in DEBIAN_PEERS.items():
        paths = sorted(glob.glob(pattern))
        if paths:
            found.append(Allocator(name, os.path.realpath(paths[0])))
        else:
            notes.append(f"{name}: package {package} is not installed (--install-peers installs it)")
    for name, path in named_peers:
        if os.path.isfile(path):
            found.append(Allocator(name, os.path.realpath(path)))
        else:
            notes.append(f"{name}: no such file: {path}")
    return found, notes


def preload_problem(allocator, whose):
    """Asks a child (the program `whose`) which object serves malloc; returns what is wrong, or None."""
    try:
        child = subprocess.run([whose], env=environment(allocator), capture_output=True, text=True,
                               check=False, timeout=START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"{allocator.name}: a small program hangs under it."
    errors = child.stderr.strip()
    if child.returncode != 0:
        return f"{allocator.name}: a small program fails under it (exit status {child.returncode}). {errors}"
    for line in child.stdout.splitlines():
        function, path = line.split(" ", 1)
        if allocator.library:
            served = os.path.realpath(path) == allocator.library
        else:
            served = os.path.basename(path) == LIBC
        if not served:
            return f"{allocator.name}: the preload has no effect: {function} comes from {path}. {errors}"
    return None
