"""Parses the command line of bench/run."""

import argparse
import os
import re

from cases import GROUPS, is_script

FULL = {"rounds": 7, "scaling_rounds": 2, "reps": 5, "ms": 60, "budget": 40.0}
QUICK = {"rounds": 2, "scaling_rounds": 2, "reps": 3, "ms": 15, "budget": 2.5}


def named_peer(argument):
    name, separator, rest = argument.partition("=")
    path, *variables = rest.split(",")
    if not (name and separator and path) or not all("=" in variable for variable in variables):
        raise argparse.ArgumentTypeError(f"{argument!r} is not NAME=PATH.so[,VARIABLE=VALUE...]")
    return name, path, ",".join(variables)


def positive(argument):
    if not argument.isdecimal() or int(argument) == 0:
        raise argparse.ArgumentTypeError(f"{argument!r} is not a number above 0")
    return int(argument)


def pattern(argument):
    try:
        return re.compile(argument)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{argument!r}: {error}") from error


def add_what(result):
    what = result.add_argument_group("what is measured")
    what.add_argument(
        "--quick", action="store_true", help="few cases and short runs: under 3 minutes"
    )
    what.add_argument(
        "--only", type=pattern, metavar="REGEX", help="only the cases whose name matches"
    )
    what.add_argument(
        "--group", action="append", choices=GROUPS, help="only this group; may be repeated"
    )
    what.add_argument(
        "--no-scaling", action="store_true", help="leave out the cases of the scaling tables"
    )
    what.add_argument(
        "--no-counts", action="store_true", help="count no system calls and page faults"
    )
    what.add_argument("--lib", metavar="PATH", help="our library (default: DIR/libft_malloc.so)")
    what.add_argument(
        "--peer",
        type=named_peer,
        action="append",
        default=[],
        metavar="NAME=PATH.so[,VARIABLE=VALUE...]",
        help="another allocator, or one with other settings; may be repeated",
    )


def add_how(result, root):
    how = result.add_argument_group("how")
    how.add_argument("--rounds", type=positive, help="rounds (default 7, with --quick 2)")
    how.add_argument(
        "--scaling-rounds",
        type=positive,
        help="rounds of the scaling cases (default 2, or 1 if the budget is too small for 2)",
    )
    how.add_argument(
        "--reps",
        type=positive,
        help="repetitions in a run of a program (default 5, with --quick 3)",
    )
    how.add_argument(
        "--ms",
        type=positive,
        help="milliseconds of a repetition (default 60, with --quick 15, "
        "or less if the budget is too small)",
    )
    how.add_argument("--budget", type=float, metavar="MINUTES", help="default 40, with --quick 2.5")
    how.add_argument(
        "--build", default=os.path.join(root, "build"), metavar="DIR", help="build directory"
    )


def add_out(result):
    out = result.add_argument_group("what comes out")
    out.add_argument(
        "--out", metavar="DIR", help="directory for results and plots (default: DIR/bench/results)"
    )
    out.add_argument(
        "--write-docs",
        action="store_true",
        help="write docs/BENCHMARKS.md, its plots, and the record of the run in docs/bench/",
    )
    out.add_argument(
        "--rewrite-docs",
        action="store_true",
        help="write docs/BENCHMARKS.md again from docs/bench/results.json, and measure nothing",
    )
    out.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="report on the results.json of an earlier run, and measure nothing",
    )
    out.add_argument(
        "--list", action="store_true", help="print the cases and their commands, and run nothing"
    )
    out.add_argument(
        "--install-peers",
        action="store_true",
        help="first install missing Debian packages: peers, tools, and whole programs",
    )
    out.add_argument(
        "--packages", action="store_true", help="print the names of these packages, and run nothing"
    )


def parser(about, root):
    result = argparse.ArgumentParser(
        prog="bench/run", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_what(result)
    add_how(result, root)
    add_out(result)
    return result


def parse(about, root, words=None):
    arguments = parser(about, root).parse_args(words)
    arguments.fixed = {
        name for name in ("ms", "scaling_rounds") if getattr(arguments, name) is not None
    }
    for name, value in (QUICK if arguments.quick else FULL).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    arguments.lib = arguments.lib or os.path.join(arguments.build, "libft_malloc.so")
    arguments.out = arguments.out or os.path.join(arguments.build, "bench", "results")
    return arguments


def select(cases, arguments):
    """Returns the cases that the options select."""

    def wanted(case):
        if (
            arguments.quick
            and not case.quick
            or arguments.group
            and case.group not in arguments.group
        ):
            return False
        if case.scaling_only and (arguments.quick or arguments.no_scaling):
            return False
        return not arguments.only or arguments.only.search(case.name)

    return [case for case in cases if wanted(case)]


def counted(cases, arguments):
    """Returns the cases whose system calls are counted.

    With --quick these are no whole programs, which take too long under strace.
    """
    if arguments.no_counts:
        return []
    return [
        case
        for case in cases
        if not case.scaling_only and not (arguments.quick and is_script(case))
    ]
