"""A report fails the check that started the process, even if nobody looks how that ended."""

import os
import sys
import unittest

from compare import Check
from side import FAILED, PASSED, prepare_process, run_side

PROGRAM = os.environ["FT_MISUSE_PROGRAM"]
PRELOAD = ":".join(sys.argv[1:])


def run(name, preload):
    command = ["/bin/sh", "-c", f"'{PROGRAM}' {name} >/dev/null 2>&1; exit 0"]
    return run_side(Check("test", name, lambda side: side.run(command) and None, []), preload)


class Reports(unittest.TestCase):
    def test_a_report_that_nobody_sees_fails_the_check(self):
        outcome = run("memcpy_1_beyond", PRELOAD)
        self.assertEqual(outcome.status, FAILED)
        self.assertRegex(
            outcome.detail, r"ft_malloc: memcpy\(\): writes 1 byte past .*, in misuse_program"
        )

    def test_without_a_report_it_passes(self):
        self.assertEqual(run("sprintf_fills", PRELOAD).status, PASSED)

    def test_on_glibc_nothing_is_reported(self):
        self.assertEqual(run("memcpy_1_beyond", None).status, PASSED)


if __name__ == "__main__":
    prepare_process()
    unittest.main(argv=sys.argv[:1])
