"""Checks one short run of bench/run, and its launcher. No test looks at times."""

import csv
import os
import subprocess
import sys
import tempfile
import unittest

import support

PROGRAMS = os.path.join(support.BUILD, "bench")


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_quick(self, *options):
        command = [
            sys.executable,
            os.path.join(support.ROOT, "bench", "run"),
            "--quick",
            "--rounds",
            "1",
        ]
        command += [
            "--ms",
            "1",
            "--only",
            "^pair-64$",
            "--build",
            support.BUILD,
            "--out",
            self.folder,
        ]
        return subprocess.run([*command, *options], capture_output=True, text=True, check=False)

    def test_quick_run_writes_its_results(self):
        done = self.run_quick()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("geometric means", done.stdout)
        self.assertTrue(os.path.isfile(os.path.join(self.folder, "raw.csv")))
        with open(os.path.join(self.folder, "summary.csv"), encoding="utf-8", newline="") as file:
            rows = {row["allocator"]: row for row in csv.DictReader(file)}
        self.assertLessEqual({"ft_malloc", "glibc"}, set(rows))
        for row in (rows["ft_malloc"], rows["glibc"]):
            self.assertEqual((row["case"], row["rounds"], row["failure"]), ("pair-64", "1", ""))

    def test_a_missing_library_is_an_error(self):
        done = self.run_quick("--no-counts", "--lib", os.path.join(self.folder, "none.so"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("only the peers are measured", done.stdout)


class Measure(unittest.TestCase):
    def measure(self, *words, **environment):
        return subprocess.run(
            [os.path.join(PROGRAMS, "measure"), *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )

    def test_report_on_standard_error(self):
        done = self.measure("--", "sh", "-c", "echo out; exit 3")
        self.assertEqual((done.returncode, done.stdout), (3, "out\n"))
        self.assertEqual(len(done.stderr.split()), 7)
        self.assertEqual(done.stderr.split()[-1], "3")

    def test_reports_in_files(self):
        with tempfile.TemporaryDirectory() as folder:
            own, all_of_them = os.path.join(folder, "own"), os.path.join(folder, "all")
            for _ in range(2):
                self.measure("--report", own, "--", "true", BENCH_REPORT=all_of_them)
            with open(own, encoding="utf-8") as file:
                self.assertEqual(len(file.readlines()), 1)
            with open(all_of_them, encoding="utf-8") as file:
                self.assertEqual(len(file.readlines()), 2)

    def test_preload_reaches_the_program_alone(self):
        whose = os.path.join(PROGRAMS, "whose")
        library = os.path.realpath(os.path.join(support.BUILD, "libft_malloc.so"))
        served = self.measure("--preload", library, "--", whose)
        self.assertIn(library, served.stdout)
        plain = self.measure("--preload", "", "--", whose, LD_PRELOAD=library)
        self.assertNotIn(library, plain.stdout)

    def test_what_ends_badly(self):
        self.assertEqual(self.measure("--", "sh", "-c", "kill -9 $$").returncode, 128 + 9)
        self.assertEqual(self.measure("--", "/nonexistent/program").returncode, 127)
        self.assertEqual(self.measure("--preload").returncode, 2)
        self.assertEqual(self.measure().returncode, 2)


if __name__ == "__main__":
    unittest.main()
