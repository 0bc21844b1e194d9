"""Judges whether memory still grew after a program's warm-up, however it was sampled."""

import statistics

# A shorter series is still in its warm-up, so it is not judged.
FEWEST_SAMPLES = 120
FACTOR = 1.10


class Series:
    """One figure, sampled once a second. It may exceed the factor by `slack`."""

    def __init__(self, name, unit, slack):
        self.name, self.unit, self.slack, self.values = name, unit, slack, []

    def quarters(self):
        """Returns the medians of the four quarters, to which single peaks do not matter."""
        count = len(self.values)
        bounds = [count * n // 4 for n in range(5)]
        return [statistics.median(self.values[low:high]) for low, high in zip(bounds, bounds[1:])]

    def growth(self):
        """Returns a sentence on the growth from the second quarter to the last, or None."""
        if len(self.values) < FEWEST_SAMPLES:
            return None
        _, second, _, last = self.quarters()
        if last <= second * FACTOR + self.slack:
            return None
        medians = "(medians of quarters 2 and 4)"
        return f"{self.name} grew from {second:.0f} to {last:.0f} {self.unit} {medians}"

    def __str__(self):
        if len(self.values) < 4:
            return f"{self.name}: {self.values} {self.unit}"
        medians = ", ".join(f"{value:.0f}" for value in self.quarters())
        peak = f"{max(self.values):.0f}"
        return f"{self.name}: medians of the quarters {medians} {self.unit}, peak {peak}"
