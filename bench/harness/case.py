"""Defines what a benchmark case is."""

from typing import NamedTuple


class Case(NamedTuple):
    name: str  # for example "steal-4t": lower case, with hyphens
    # A program of BUILD/bench and its options, or a script of bench/whole and its arguments.
    command: tuple[str, ...]
    about: str  # one line on what it stresses
    group: str  # "single", "threads", "start" or "whole"
    unit: str = "ns"  # of the time of one operation; "ms" in whole programs
    quick: bool = False  # part of --quick
    series: str = ""  # its scaling series ("disjoint", "live", "size" ...), or none
    x: int = 0  # its place on the axis of the series: threads, live chunks or bytes
    scaling_only: bool = False  # runs only for the scaling tables, not in the main table
