"""Debian's python3 with PYTHONMALLOC=malloc: threads, big dicts, and forked processes.

It runs once as it is, and once with a single arena.
"""

import os

import harness


def test(h):
    python = harness.program("python3")
    workload = os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "workloads", "python_workload.py"
    )
    env = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    result = h.run_both([python, workload], env=env)
    harness.check(len(result.stdout.splitlines()) == 10, f"unexpected output:\n{result.stdout}")
    h.check_served(result.stats, allocations=1_000_000)
    shared = h.run([python, workload], env=dict(env, FT_MALLOC_ARENA_MAX="1"))
    harness.check(
        shared.stdout == result.stdout, f"with one arena for all threads:\n{shared.stdout}"
    )
    harness.check(
        h.check_served(shared.stats, allocations=1_000_000)["arenas"] == 1, "more than one arena"
    )


harness.run_test(test)
