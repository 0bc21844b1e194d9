"""Checks means, ratios and winners, also where samples are missing."""

import unittest

import support
import figures
from results import summarise


def time_of(summary):
    return summary.min_time


class Figures(unittest.TestCase):
    def setUp(self):
        self.results = support.made_up_results()
        self.grid = figures.grid_of(self.results, self.results.main_cases(), time_of)

    def test_geometric_mean(self):
        self.assertAlmostEqual(figures.geometric_mean([1, 4, 16]), 4)
        self.assertIsNone(figures.geometric_mean([]))

    def test_ratio_of_what_is_missing(self):
        self.assertEqual(figures.ratio(3, 2), 1.5)
        for value, base in ((None, 2), (2, None), (2, 0), (0, 2)):
            self.assertIsNone(figures.ratio(value, base))

    def test_grid_has_the_minimum_and_no_scaling_case(self):
        self.assertEqual(self.grid["one"], {"ft_malloc": 1.0, "glibc": 4.0, "mimalloc": 2.0})
        self.assertIsNone(self.grid["two"]["mimalloc"])
        self.assertNotIn("far", self.grid)

    def test_means_leave_out_a_case_that_somebody_failed(self):
        means = figures.mean_ratios(self.grid, "glibc")
        self.assertAlmostEqual(means["ft_malloc"], 0.5)  # the mean of 1/4 and 100/100, without 3/2
        self.assertAlmostEqual(means["mimalloc"], 0.5)  # the mean of 1/2 and 1/2

    def test_an_allocator_without_any_sample_has_no_say(self):
        for row in self.grid.values():
            row["absent"] = None
        self.assertEqual(len(figures.comparable(self.grid)), 2)
        self.assertNotIn("absent", figures.mean_ratios(self.grid, "glibc"))

    def test_mean_of_nothing(self):
        self.assertEqual(figures.mean_ratios({}, "glibc"), {})
        self.assertIsNone(figures.mean_to_best_peer({}))
        self.assertEqual(figures.wins({}), {})

    def test_best_peer_is_never_ours(self):
        self.assertEqual(figures.best(self.grid["one"]), ("ft_malloc", 1.0))
        self.assertEqual(figures.best_peer(self.grid["one"]), ("mimalloc", 2.0))
        self.assertEqual(figures.best_peer({"ft_malloc": 1.0}), (None, None))

    def test_ratio_to_the_best_peer_of_each_row(self):
        self.assertAlmostEqual(figures.mean_to_best_peer(self.grid), 1.0)  # mean of 1/2, 100/50

    def test_wins(self):
        self.assertEqual(figures.wins(self.grid), {"ft_malloc": 1, "glibc": 1, "mimalloc": 1})

    def test_behind_lists_the_worst_first(self):
        self.assertEqual(
            figures.behind(self.grid, 1.1), [(2.0, "app", "mimalloc"), (1.5, "two", "glibc")]
        )
        self.assertEqual(figures.behind(self.grid, 1.6), [(2.0, "app", "mimalloc")])

    def test_spread(self):
        self.assertAlmostEqual(
            figures.spread(summarise([support.sample(time) for time in (2.0, 9.0, 2.2)])), 0.1
        )

    def test_extra_figures_are_medians(self):
        grid = figures.extra_grid(self.results, self.results.main_cases())
        self.assertEqual(grid["one: rss_per_live_byte"]["glibc"], 1.5)
        self.assertIsNone(grid["two: rss_per_live_byte"]["mimalloc"])

    def test_processor_time_follows_the_share_of_the_wall_time(self):
        self.assertEqual(support.sample(30.0).cpu, 15.0)


if __name__ == "__main__":
    unittest.main()
