"""Lists the cases with several threads. Programs: bench/threads/."""

import os

from case import Case

# 1 to 256, and the number of cores, because speed can grow up to that number.
THREADS = tuple(sorted({*(2**power for power in range(9)), os.cpu_count() or 1}))
MOST_IN_TABLE = 16
ONE_SIZE = ("--min", "64", "--max", "64")
MIXED_SIZES = ("--min", "16", "--max", "527")
BURSTS = ("--bundle", "5000", "--bundles", "1")
BACKLOG = ("--behind", "10000")
TOUCHED = ("--chunks", "100", "--min", "16", "--max", "30000", "--touch", "pages", "--left", "0")
# Waking 1,000 threads takes milliseconds, so each has to work for long once it is awake.
CROWD = ("--live", "16", "--replace", "5000")


def threads_case(name, program, threads, about, *options, **fields):
    command = (program, "--threads", str(threads), *options)
    return Case(name, command, about, "threads", **fields)


def scaling_cases(series, about, quick):
    """Yields a program at all numbers of threads; `quick` holds those that belong to --quick."""
    for threads in THREADS:
        yield threads_case(
            f"{series}-{threads}t",
            series,
            threads,
            about,
            quick=threads in quick,
            series=series,
            x=threads,
            scaling_only=threads > MOST_IN_TABLE,
        )


def prodcons_case(name, threads, about, *options, **fields):
    return threads_case(name, "prodcons", threads, about, *options, **fields)


def prodcons_series():
    """Yields even numbers of threads only, because half of the threads produce."""
    for threads in THREADS:
        if threads % 2 == 0:
            yield prodcons_case(
                "prodcons-mixed" if threads == 2 else f"prodcons-mixed-{threads}t",
                threads,
                f"chunks of 16 to 527 bytes, {threads // 2} : {threads // 2} threads",
                *MIXED_SIZES,
                quick=threads == 2,
                series="prodcons",
                x=threads,
                scaling_only=threads > 8,
            )


def prodcons_cases():
    first = "one thread allocates chunks of 64 bytes, another frees them: remote frees"
    yield prodcons_case("prodcons-64", 2, first, *ONE_SIZE)
    yield prodcons_case("prodcons-64-4t", 4, "chunks of 64 bytes, 2 : 2 threads", *ONE_SIZE)
    yield prodcons_case("prodcons-64-8t", 8, "chunks of 64 bytes, 4 : 4 threads", *ONE_SIZE)
    yield from prodcons_series()
    for suffix, threads, quick in (("", 2, True), ("-8t", 8, False)):
        ratio = f"{threads // 2} : {threads // 2} threads"
        burst = f"bursts of 5,000 chunks, each freed before the next, {ratio}"
        yield prodcons_case(
            f"prodcons-burst{suffix}", threads, burst, *MIXED_SIZES, *BURSTS, quick=quick
        )
        backlog = f"each consumer stays 10,000 chunks behind, {ratio}"
        yield prodcons_case(f"prodcons-backlog{suffix}", threads, backlog, *MIXED_SIZES, *BACKLOG)
    for threads in (4, 8):
        about = f"one thread frees what {threads - 1} others allocate"
        options = ("--consumers", "1", *MIXED_SIZES)
        yield prodcons_case(f"onefree-{threads}t", threads, about, *options, quick=threads == 4)


def sharing_cases():
    causes = (
        (
            "active",
            (1, 2, 4),
            "each thread writes to its own chunks of 8 bytes, which shows shared cache lines",
        ),
        ("passive", (2, 4), "each thread first frees neighbours of the other threads' chunks"),
    )
    for cause, numbers, about in causes:
        for threads in numbers:
            name = f"sharing-{cause}-{threads}t"
            quick = (cause, threads) == ("passive", 2)
            yield threads_case(name, "sharing", threads, about, "--cause", cause, quick=quick)


def churn_cases():
    for threads in (1, 2, 4, 8, 16):
        about = (
            f"short threads, {threads} at a time: 300 chunks each, "
            "of which the parent frees a third"
        )
        yield threads_case(f"churn-{threads}t", "churn", threads, about, quick=threads == 4)
    for threads in (1, 4):
        about = (
            f"short threads, {threads} at a time: each writes to 1.5 MB in chunks of 16 to "
            "30,000 bytes and frees them: memory that ended threads leave to the next"
        )
        yield threads_case(
            f"churn-touch-{threads}t",
            "churn",
            threads,
            about,
            *TOUCHED,
            *("--once", str(400 // threads)),
            quick=threads == 4,
        )


def exchange_cases():
    for threads in (2, 8):
        about = (
            f"{threads} threads keep, free and exchange chunks through shared slots, end, "
            "and new ones follow: chunks whose threads come and go"
        )
        yield threads_case(
            f"exchange-{threads}t", "exchange", threads, about, quick=threads == 2
        )


def crowd_cases():
    """Yields the same work for few threads, and for more than an allocator has arenas for."""
    for threads in (8, 200, 1000):
        about = f"{threads:,} threads each replace random ones of their own 16 chunks"
        yield threads_case(f"crowd-{threads}t", "disjoint", threads, about, *CROWD)


SERVER = (
    "1,000 live chunks pass from each thread to a new one, again and again, "
    "which frees them after their owner has ended"
)
DISJOINT = (
    "each thread replaces random ones of its own 1,000 chunks, "
    "which shows what threads share inside the allocator"
)
STEAL = (
    "random replacement, sizes by a power law; every eighth operation swaps chunks between threads"
)

CASES = (
    *scaling_cases("disjoint", DISJOINT, quick={2}),
    *prodcons_cases(),
    *scaling_cases("server", SERVER, quick={2}),
    *scaling_cases("steal", STEAL, quick={2}),
    *churn_cases(),
    *exchange_cases(),
    *sharing_cases(),
    *crowd_cases(),
    threads_case(
        "idle-1000",
        "idle",
        1000,
        "1,000 threads free a burst of 200 KiB and sleep, which shows what they keep",
        quick=True,
    ),
)
