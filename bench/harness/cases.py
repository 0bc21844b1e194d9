"""Lists all benchmark cases, in the order of the tables.

To add a case, add a line to the cases_*.py of its group.
"""

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
    """Returns whether a script in bench/ runs the case. The others are programs in build/bench/."""
    return "/" in case.command[0]
