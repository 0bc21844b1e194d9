"""Describes the machine, the kernel, the versions of the allocators, and the commit."""

import datetime
import os
import platform
import subprocess


def output_of(*command, cwd=None):
    """Returns a command's output, or an empty string if the command fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def field_of(path, name):
    """Returns the value of the first `name: value` or `name=value` line of a file."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                for separator in ":=":
                    key, found, value = line.partition(separator)
                    if found and key.strip() == name:
                        return value.strip().strip('"')
    except OSError:
        pass
    return ""


def memory_gib():
    fields = field_of("/proc/meminfo", "MemTotal").split()
    return f"{int(fields[0]) / 1024 ** 2:.0f} GiB" if fields else "unknown"


def commit(root):
    """Returns the commit of the sources, and whether they differ from it."""
    name = output_of("git", "rev-parse", "--short", "HEAD", cwd=root)
    changed = output_of(
        "git", "status", "--porcelain", "--untracked-files=no", "src", "include", cwd=root
    )
    return (name or "unknown") + (" with changes" if name and changed else "")


def describe(root):
    return {
        "processor": field_of("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": memory_gib(),
        "kernel": "Linux " + platform.release().partition("-")[0],
        "system": field_of("/etc/os-release", "PRETTY_NAME") or "unknown",
        "compiler": output_of("gcc", "--version").partition("\n")[0],
        "date": datetime.datetime.now().strftime("%Y-%m-%d"),
        "commit": commit(root),
        "load": round(os.getloadavg()[0], 2),
    }


def version_of(allocator, root, build):
    if allocator.library == os.path.realpath(os.path.join(build, "libft_malloc.so")):
        return f"commit {commit(root)}"
    if allocator.package:
        version = output_of("dpkg-query", "-W", "-f=${Version}", allocator.package)
        return f"{allocator.package} {version or '(no package)'}"
    return os.path.basename(allocator.library)


def is_busy(setting):
    return setting["load"] > 0.5 * setting["cores"]
