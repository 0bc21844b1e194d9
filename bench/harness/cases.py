"""All benchmark cases, in the order of the tables. A case is added in the cases_*.py of its
group."""

import cases_single
import cases_threads
import cases_whole

GROUPS = ("single", "threads", "start", "whole")
CASES = tuple(
    sorted(
        (*cases_single.CASES, *cases_threads.CASES, *cases_whole.CASES),
        key=lambda case: GROUPS.index(case.group),
    )
)


def is_script(case):
    """Whole programs are started by a script in bench/; the others are programs in build/bench/."""
    return "/" in case.command[0]
