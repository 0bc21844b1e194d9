"""Checks that the case lists name existing programs once, and that options select from them."""

import argparse
import os
import re
import unittest

import support
import allocators
import cases
import options
from packages import PACKAGES
from runner import Runner


def selected(*words):
    return options.select(cases.CASES, options.parse("", support.ROOT, words))


class Cases(unittest.TestCase):
    def test_names_are_unique_and_plain(self):
        names = [case.name for case in cases.CASES]
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertRegex(name, r"^[a-z0-9][a-z0-9.-]*$")

    def test_fields(self):
        for case in cases.CASES:
            with self.subTest(case.name):
                self.assertIn(case.group, cases.GROUPS)
                self.assertIn(case.unit, ("ns", "ms"))
                self.assertTrue(case.about)
                self.assertTrue(all(isinstance(word, str) for word in case.command))
                self.assertEqual(
                    cases.is_script(case), case.group == "whole" or "/" in case.command[0]
                )

    def test_programs_exist(self):
        runner = Runner(os.path.join(support.ROOT, "bench"), os.path.join(support.BUILD, "bench"))
        for case in cases.CASES:
            self.assertTrue(os.access(runner.path_of(case), os.X_OK), runner.path_of(case))

    def test_series(self):
        for case in cases.CASES:
            if case.scaling_only:
                self.assertTrue(case.series, case.name)
            if case.series:
                self.assertGreater(case.x, 0, case.name)
        places = [(case.series, case.x) for case in cases.CASES if case.series]
        self.assertEqual(len(places), len(set(places)))

    def test_packages_are_named_once(self):
        self.assertEqual(len(PACKAGES), len(set(PACKAGES)))


class Selection(unittest.TestCase):
    def test_quick_is_a_part_without_scaling(self):
        quick = selected("--quick")
        self.assertTrue(quick)
        self.assertLess(len(quick), len(cases.CASES))
        self.assertFalse([case for case in quick if case.scaling_only])

    def test_everything_by_default(self):
        self.assertEqual(selected(), list(cases.CASES))

    def test_only_and_group(self):
        self.assertEqual([case.name for case in selected("--only", "^pair-64$")], ["pair-64"])
        self.assertEqual({case.group for case in selected("--group", "threads")}, {"threads"})
        self.assertFalse([case for case in selected("--no-scaling") if case.scaling_only])

    def test_defaults_of_quick_give_way_to_options(self):
        arguments = options.parse("", support.ROOT, ["--quick", "--rounds", "9"])
        self.assertEqual((arguments.rounds, arguments.ms), (9, options.QUICK["ms"]))

    def test_patterns_and_peers(self):
        self.assertEqual(options.named_peer("other=/x.so"), ("other", "/x.so", ""))
        self.assertEqual(options.named_peer("o=/x.so,A=1,B=2"), ("o", "/x.so", "A=1,B=2"))
        with self.assertRaises(argparse.ArgumentTypeError):
            options.named_peer("other=/x.so,A")

    def test_the_variables_of_a_peer_reach_its_programs(self):
        tuned = allocators.Allocator("o", "/x.so", variables="A=1,B=x=y")
        self.assertEqual(tuned.environment(), {"A": "1", "B": "x=y"})
        self.assertEqual(allocators.Allocator("o", "/x.so").environment(), {})
        self.assertEqual(options.pattern("a|b"), re.compile("a|b"))


if __name__ == "__main__":
    unittest.main()
