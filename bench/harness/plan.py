"""Estimates how long a run will take, and shortens it to its budget.

The number of rounds of the main cases is never changed.
"""

from typing import NamedTuple

from cases import is_script

# A program first calibrates itself, which takes about a third of a repetition.
CALIBRATION_REPS = 0.35
START_S = 0.03
# Counting takes four short runs of a program, and one of a script, which strace slows down.
COUNTING_RUNS, COUNTING_RUN_S, STRACE_FACTOR = 5, 0.08, 2.5
SHORTER_MS = (50, 40, 30, 25, 20, 15)


class Shape(NamedTuple):
    """The numbers that decide how long a run takes."""

    allocators: int
    rounds: int
    scaling_rounds: int
    reps: int
    ms: int


def calibrated_s(reps, ms):
    return (reps + CALIBRATION_REPS) * ms / 1000


class Plan:
    """Estimates from the warm-up, which ran each case once with the repetitions of `shape`."""

    def __init__(self, shape, warm_up, counted):
        self.shape = shape
        self.counted = counted  # the cases whose system calls and page faults are counted
        self.warm_up = warm_up  # {case: seconds}
        self.ms = shape.ms  # the length of a repetition; fit() may shorten it
        self.scaling_rounds = shape.scaling_rounds  # fit() may reduce them

    def run_cost(self, case):
        """Returns the seconds of one run.

        A program with a fixed amount of work takes long, and shorter repetitions do not shorten it.
        """
        measured = self.warm_up[case]
        full = calibrated_s(self.shape.reps, self.shape.ms)
        if is_script(case) or measured > 3 * full:
            return measured
        return max(measured - full + calibrated_s(self.shape.reps, self.ms), START_S)

    def count_cost(self, case):
        if is_script(case):
            return STRACE_FACTOR * self.warm_up[case]
        preparations = max(self.warm_up[case] - calibrated_s(self.shape.reps, self.shape.ms), 0)
        return COUNTING_RUNS * (COUNTING_RUN_S + preparations)

    def rounds_of(self, case):
        return self.scaling_rounds if case.scaling_only else self.shape.rounds

    def total(self):
        seconds = sum(self.rounds_of(case) * self.run_cost(case) for case in self.warm_up)
        seconds += sum(self.count_cost(case) for case in self.counted)
        return self.shape.allocators * seconds

    def fit(self, budget_s, fixed=()):
        """Shortens what is not fixed until it fits the budget, or as far as makes sense."""
        for ms in SHORTER_MS:
            if self.total() > budget_s and "ms" not in fixed:
                self.ms = min(self.ms, ms)
        if self.total() > budget_s and "scaling_rounds" not in fixed:
            self.scaling_rounds = 1
