"""sqlite3 with a big table, indexes, joins, windows and sorter threads, in memory and in a file."""

import os

import harness

WORKLOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "workloads", "sqlite.sql")


def test(h):
    sqlite = harness.program("sqlite3")
    with open(WORKLOAD, encoding="utf-8") as file:
        script = file.read()
    plain = h.run([sqlite, ":memory:"], stdin=script, preload=False)
    served = h.run([sqlite, ":memory:"], stdin=script)
    harness.check(
        served.stdout == plain.stdout,
        f"with the library:\n{served.stdout}\nwithout:\n{plain.stdout}",
    )
    amounts = sum(i * 7919 % 10007 for i in range(1, 200001))
    harness.check(f"rows|200000|{amounts}|" in served.stdout, f"wrong sums:\n{served.stdout}")
    harness.check(
        served.stdout.endswith("check|ok\n"), f"the integrity check failed:\n{served.stdout}"
    )
    on_file = h.run([sqlite, h.path("test.db")], stdin=script)
    harness.check(
        on_file.stdout == plain.stdout, f"from a file:\n{on_file.stdout}\nwithout:\n{plain.stdout}"
    )
    h.check_served(served.stats + on_file.stats, processes=2, allocations=100_000)


harness.run_test(test)
