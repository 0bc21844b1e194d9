"""perl works with hashes, regular expressions and interpreter threads."""

import os

import harness

WORKLOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workloads", "workload.pl")


def test(h):
    result = h.run_both([harness.program("perl"), WORKLOAD], env={"PERL_HASH_SEED": "0"})
    closures = 3 * sum(i % 40 for i in range(1, 20001))
    harness.check(
        result.stdout.endswith(f"closures {closures}\n"), f"unexpected output:\n{result.stdout}"
    )
    h.check_served(result.stats, allocations=500_000)


harness.run_test(test)
