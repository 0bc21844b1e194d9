"""Runs each check with glibc's allocator and then with ours, and judges the two outcomes."""

from side import FAILED, PASSED, SKIPPED, Outcome, run_side

# If a check fails with ours, it runs this many times more with glibc before the failure counts.
MORE_RUNS_ON_GLIBC = 3


class Check:
    """One row of the table. `served` names the programs that must be seen to run on the library."""

    def __init__(self, program, what, function, served, seconds=180):
        self.program, self.what, self.function = program, what, function
        self.served, self.seconds = served, seconds

    @property
    def name(self):
        return f"{self.program}: {self.what}"


class Row:
    """A check and its two outcomes. `ours` is None if glibc's did not pass, so ours did not run."""

    def __init__(self, check, glibc, ours=None, excuse=""):
        self.check, self.glibc, self.ours, self.excuse = check, glibc, ours, excuse

    @property
    def is_broken(self):
        return self.ours is not None and self.ours.status != PASSED and not self.excuse

    @property
    def is_left_out(self):
        return self.glibc.status != PASSED or bool(self.excuse)


def compare(check, preload):
    glibc = run_side(check, None)
    if glibc.status != PASSED:
        return Row(check, glibc)
    ours = run_side(check, preload)
    if ours.status == PASSED and ours.answer != glibc.answer:
        text = f"other results than with glibc:\n{ours.answer}\nwith glibc:\n{glibc.answer}"
        ours = Outcome(FAILED, ours.seconds, text)
    return Row(check, glibc, ours, excuse_for(check, ours))


def excuse_for(check, ours):
    """Decides whether our failure counts, which it does only if glibc always passes the test."""
    if ours.status == PASSED or "ft_malloc: " in ours.detail:
        return ""
    for number in range(MORE_RUNS_ON_GLIBC):
        again = run_side(check, None)
        if again.status not in (PASSED, SKIPPED):
            return f"unsteady: fails with glibc, too (run {number + 2})"
    return ""
