"""Checks the criterion of the soak: it detects growth, and forgives peaks and a warm-up."""

import random
import sys
import unittest

from judge import FEWEST_SAMPLES, Series


def series(values):
    made = Series("resident", "KiB", 4096)
    made.values = list(values)
    return made


class Judge(unittest.TestCase):
    seconds = 1800

    def test_a_flat_line_is_no_growth(self):
        self.assertIsNone(series([50_000] * self.seconds).growth())

    def test_noise_and_peaks_are_no_growth(self):
        chooser = random.Random(1)
        values = [
            50_000 + chooser.randrange(20_000) + 90_000 * (n % 50 == 0) for n in range(self.seconds)
        ]
        self.assertIsNone(series(values).growth())

    def test_a_warm_up_is_no_growth(self):
        values = [min(n, 400) * 100 for n in range(self.seconds)]
        self.assertIsNone(series(values).growth())

    def test_a_slow_leak_is_growth(self):
        values = [50_000 + n * 12 for n in range(self.seconds)]
        self.assertIn("resident grew from", series(values).growth())

    def test_a_step_in_the_last_quarter_is_growth(self):
        values = [50_000] * 1300 + [60_000] * 500
        self.assertIsNotNone(series(values).growth())

    def test_nothing_is_said_of_a_few_samples(self):
        self.assertIsNone(series([n * 10_000 for n in range(FEWEST_SAMPLES - 1)]).growth())
        self.assertIsNotNone(series([n * 10_000 for n in range(FEWEST_SAMPLES)]).growth())


if __name__ == "__main__":
    sys.exit(not unittest.main(exit=False).result.wasSuccessful())
