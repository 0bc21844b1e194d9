"""What a benchmark case is."""

from typing import NamedTuple


class Case(NamedTuple):
    name: str  # e.g. "larson-4t"; lower case, hyphens
    command: tuple[
        str, ...
    ]  # micro: program in BUILD/bench + options; whole: path in bench/ + arguments
    about: str  # one line: what it stresses
    group: str  # "single", "threads", "start", "whole"
    unit: str = "ns"  # what one operation's time is printed in: "ns" (micro), "ms" (whole programs)
    quick: bool = False  # part of --quick
    series: str = (
        ""  # the scaling series it belongs to ("larson", "disjoint", "live", "size"); "" = none
    )
    x: int = 0  # its place on the series' axis (threads, live chunks, bytes)
    scaling_only: bool = False  # runs only for the scaling tables, not in the main table
