"""Lists the cases with one thread, and those that start processes. Programs: bench/single/."""

from case import Case

LIVE_CHUNKS = (1000, 10000, 100000, 1000000, 10000000)
KIB, MIB = 1024, 1024 * 1024

# Powers of 4, and sizes just past the limits beyond which allocators serve a request differently:
# past thread caches (1 KiB), past small classes (8 and 32 KiB), and past the sizes that come from
# heaps instead of mappings (128 and 256 KiB, 4 and 32 MiB).
POWERS_OF_4 = tuple(8 * 4**power for power in range(11)) + (64 * MIB,)
JUST_PAST = tuple(
    limit + 1 for limit in (KIB, 8 * KIB, 32 * KIB, 128 * KIB, 256 * KIB, 4 * MIB, 32 * MIB)
)


def batch_cases():
    """Yields FIFO first, because other allocators' benchmarks have that form."""
    orders = (
        ("fifo", "in the order of allocation"),
        ("lifo", "in the reverse order"),
        ("random", "in a shuffled order"),
    )
    for order, how in orders:
        for label, count in (("1k", "1000"), ("100k", "100000")):
            yield Case(
                f"batch-{label}-{order}",
                ("batch", "--count", count, "--order", order),
                f"{label} chunks of 64 bytes, freed {how}: refills and bulk frees",
                "single",
                quick=(label, order) in (("1k", "fifo"), ("100k", "random")),
            )


def replace_case(name, live, smallest, largest, about, *options, quick=False):
    command = (
        "replace",
        "--live",
        str(live),
        "--min",
        str(smallest),
        "--max",
        str(largest),
        *options,
    )
    return Case(name, command, about, "single", quick=quick)


def grow_case(name, about, *options, quick=False):
    return Case(name, ("grow", *options), about, "single", quick=quick)


def zero_case(name, count, smallest, largest, about, quick=False):
    command = ("zero", "--count", str(count), "--min", str(smallest), "--max", str(largest))
    return Case(name, command, about, "single", quick=quick)


def live_cases():
    for live in LIVE_CHUNKS:
        yield Case(
            f"live-{live}",
            ("fill", "--live", str(live)),
            f"{live:,} live chunks of 16 to 64 bytes, a random one is replaced",
            "single",
            series="live",
            x=live,
            scaling_only=True,
        )


def size_cases():
    for size in sorted(POWERS_OF_4 + JUST_PAST):
        yield Case(
            f"size-{size}",
            ("sizes", "--size", str(size)),
            f"16 chunks of {size:,} bytes allocated, then freed; their first byte is written",
            "single",
            series="size",
            x=size,
            scaling_only=True,
        )


def start_case(name, chunks, about):
    return Case(name, ("start", "--chunks", str(chunks)), about, "start", quick=True)


CASES = (
    Case(
        "pair-64",
        ("pair", "--size", "64"),
        "malloc and free of one chunk: the fast paths",
        "single",
        quick=True,
    ),
    Case(
        "pair-64-live",
        ("pair", "--size", "64", "--live", "10"),
        "malloc and free of one chunk beside 10 live ones of the size",
        "single",
    ),
    *batch_cases(),
    replace_case(
        "replace-1k-small",
        1024,
        16,
        527,
        "random replacement of 1k small chunks: the mix of sizes",
        quick=True,
    ),
    replace_case("replace-64k-small", 65536, 16, 527, "64k small chunks: caches and partial slabs"),
    replace_case("replace-1k-medium", 1024, KIB, 16 * KIB, "1k live chunks of 1 to 16 KiB"),
    replace_case("replace-256-large", 256, 16 * KIB, 256 * KIB, "256 live chunks of 16 to 256 KiB"),
    Case(
        "mix",
        ("mix",),
        "sizes by a power law from 8 bytes to 64 KiB, three lifetimes",
        "single",
        quick=True,
    ),
    Case("tree-build", ("tree",), "binary trees built and torn down", "single", quick=True),
    Case(
        "tree-search",
        ("search",),
        "a search tree with random insertions and removals: locality",
        "single",
    ),
    Case(
        "strings-split",
        ("strings", "--work", "split"),
        "C++: a text cut into a vector of strings, and joined",
        "single",
    ),
    Case(
        "strings-index",
        ("strings", "--work", "index"),
        "C++: hash table and ordered map of strings and vectors",
        "single",
        quick=True,
    ),
    grow_case("grow-double", "a vector that doubles from 16 bytes to 1 MiB"),
    grow_case("grow-tenth", "a vector that grows by 10 % at a time", "--percent", "10", quick=True),
    grow_case(
        "grow-100",
        "100 vectors that grow in turn by half, to 64 KiB each",
        *("--vectors", "100", "--percent", "50", "--last", str(64 * KIB)),
    ),
    grow_case(
        "grow-1m-1g",
        "one vector grows from 1 MiB to 1 GiB by 10 % at a time, once in a process",
        *("--percent", "10", "--first", str(MIB), "--last", str(1024 * MIB), "--repeat", "no"),
    ),
    zero_case(
        "zero-small", 1000, 16, KIB, "batches of calloc of 16 to 1,024 bytes: clearing", quick=True
    ),
    zero_case(
        "zero-large",
        16,
        64 * KIB,
        MIB,
        "batches of calloc of 64 KiB to 1 MiB: cleared memory or new pages",
    ),
    Case("aligned", ("aligned",), "1k live chunks with alignments of 32 to 4,096 bytes", "single"),
    replace_case(
        "large-churn",
        16,
        64 * KIB,
        4 * MIB,
        "16 live chunks of 64 KiB to 4 MiB, all pages written: page faults and mappings",
        *("--touch", "pages"),
        quick=True,
    ),
    replace_case(
        "large-5m-25m",
        16,
        5 * MIB,
        25 * MIB,
        "16 live chunks of 5 to 25 MiB, all pages written: which freed mappings serve the next",
        *("--touch", "pages"),
    ),
    *live_cases(),
    *size_cases(),
    start_case(
        "start-empty", 0, "a process that allocates nothing: start and end of the allocator"
    ),
    start_case("start-1k", 1000, "a process that allocates 1,000 small chunks"),
)
