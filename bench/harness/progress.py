"""Shows a bar with the remaining time on a terminal, and elsewhere a line for each phase."""

import sys
import time

WIDTH = 30


def duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


class Progress:
    """Each step has a cost, its estimated seconds. The bar shows the share that is done."""

    def __init__(self, total):
        self.total = max(total, 0.001)
        self.done = 0.0
        self.start = time.monotonic()
        self.interactive = sys.stderr.isatty()

    def phase(self, title):
        if not self.interactive:
            print(f"{title} ...", file=sys.stderr, flush=True)

    def step(self, what, cost):
        """Call it before the step."""
        if self.interactive:
            share = min(self.done / self.total, 1)
            bar = "#" * round(WIDTH * share)
            left = duration(self.remaining())
            sys.stderr.write(f"\r\033[K[{bar:.<{WIDTH}}] {share:4.0%}, {left} left: {what}")
            sys.stderr.flush()
        self.done += cost

    def remaining(self):
        """Returns the estimate for what is left, corrected by how good estimates were so far."""
        left = max(self.total - self.done, 0)
        elapsed = time.monotonic() - self.start
        return left * elapsed / self.done if self.done > 0.02 * self.total else left

    def clear(self):
        if self.interactive:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
