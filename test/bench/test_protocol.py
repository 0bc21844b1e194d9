"""Checks the parsing of what programs, measure and strace print."""

import unittest

import support  # noqa: F401: it puts the runner's modules on the path
import counting
import protocol

STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 52.10    0.000310          12        25           mmap
 20.00    0.000119          11        10         4 openat
  0.00    0.000000           0         3           madvise
------ ----------- ----------- --------- --------- ----------------
100.00    0.000595           9        38         4 total
"""


class Lines(unittest.TestCase):
    def test_line(self):
        self.assertEqual(protocol.parse_line("pair-64 5.720 1512\n", "pair-64"), (5.72, 1512, {}))

    def test_line_with_further_figures_among_other_output(self):
        line = protocol.parse_line("hello\nx 1e3 7 ops=40 rss_per_thread_kib=2.5\n", "x")
        self.assertEqual(line, (1000.0, 7, {"ops": 40.0, "rss_per_thread_kib": 2.5}))

    def test_no_line(self):
        for output in (
            "",
            "y 1 2\n",
            "x 1\n",
            "x one 2\n",
            "x nan 2\n",
            "x 1 2 key\n",
            "x 1 2 key=\n",
        ):
            self.assertIsNone(protocol.parse_line(output, "x"), output)

    def test_reports_of_several_programs_are_added(self):
        report = protocol.parse_report(
            "2000000000 500000000 250000000 1000 10 1 0\n" "1000000000 0 250000000 9 5 0 0\n"
        )
        self.assertEqual(report, (3.0, 1.0, 16))
        self.assertIsNone(protocol.parse_report(""))

    def test_strace(self):
        calls = protocol.parse_strace(STRACE)
        self.assertEqual(calls, {"mmap": 25, "openat": 10, "madvise": 3})
        self.assertEqual(protocol.memory_calls(calls), 28)
        self.assertEqual(protocol.parse_strace(""), {})


class Rounds(unittest.TestCase):
    def test_a_round_with_more_operations_than_are_wanted(self):
        self.assertEqual(counting.rounds_to_count(100_000_000, 10.0), (1, 2))

    def test_slow_and_quick_operations(self):
        few, many = counting.rounds_to_count(1, 1e9)
        self.assertEqual((few, many), (counting.FEWEST_OPERATIONS, 2 * counting.FEWEST_OPERATIONS))
        few, _ = counting.rounds_to_count(1, 0.001)
        self.assertEqual(few, counting.MOST_OPERATIONS)


if __name__ == "__main__":
    unittest.main()
