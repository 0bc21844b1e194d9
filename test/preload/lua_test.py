"""lua5.4 works with tables, strings, coroutines and an eager garbage collector."""

import os

import harness

WORKLOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workloads", "workload.lua")


def test(h):
    result = h.run_both([harness.program("lua5.4"), WORKLOAD])
    harness.check("words\t5003\t" in result.stdout, f"unexpected output:\n{result.stdout}")
    harness.check("coroutines\t40000\n" in result.stdout, f"unexpected output:\n{result.stdout}")
    h.check_served(result.stats, allocations=200_000)


harness.run_test(test)
