"""node and a JVM run threaded programs, as their suites are not packaged. numpy's own tests."""

import os

import harness
from compare import Check

INPUTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "inputs")


def node(side):
    result = side.run([harness.program("node"), os.path.join(INPUTS, "threads.js")], seconds=150)
    harness.check(result.stdout.endswith("finished\n"), result.stdout + result.stderr)
    return result.stdout


def java(side):
    """Starts from source, so that the compiler, threaded and large, runs on the library as well."""
    compiler, java_program = harness.program("javac"), harness.program("java")
    side.run([compiler, "-d", side.directory, os.path.join(INPUTS, "Threads.java")])
    command = [
        java_program,
        "-Xmx256m",
        "-XX:MaxDirectMemorySize=128m",
        "-cp",
        side.directory,
        "Threads",
    ]
    result = side.run(command, seconds=150)
    harness.check(result.stdout.endswith("finished\n"), result.stdout + result.stderr)
    return result.stdout


def numpy(side):
    """Tests the modules that allocate most; their C code uses realloc and aligned buffers."""
    python = harness.program("python3")
    probe = side.run(
        [python, "-c", "import numpy, pytest, hypothesis"], preload=False, expected=(0, 1)
    )
    if probe.status != 0:
        raise harness.Skipped(
            "python3-numpy, python3-pytest or python3-hypothesis is not installed"
        )
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", "--pyargs"]
    core = ("multiarray", "nditer", "mem_policy", "numeric")
    command += [*(f"numpy.core.tests.test_{name}" for name in core), "numpy.linalg"]
    result = side.run(command, seconds=500, env={"PYTHONMALLOC": "malloc"}, expected=(0, 1))
    last = result.stdout.strip().splitlines()[-1]
    harness.check(result.status == 0, result.stdout[-4000:])
    side.note = last.partition(" in ")[0]


def checks():
    return [
        Check("node", "workers, buffers, zlib, crypto, streams", node, ["node"]),
        Check("JVM", "javac; threads, direct buffers, zlib, JIT", java, ["java", "javac"]),
        Check("numpy", "core and linalg (its own tests)", numpy, ["python3.11"], 600),
    ]
