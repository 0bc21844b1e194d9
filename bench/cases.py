"""The benchmark cases: a name, the same in every run, and a program of bench/ with its options."""

from typing import NamedTuple


class Case(NamedTuple):
    name: str
    command: tuple[str, ...]


def batch_cases():
    """FIFO first: it is the form that other allocators' benchmarks have."""
    for order in ("fifo", "lifo", "random"):
        for label, count in (("1k", "1000"), ("100k", "100000")):
            yield Case(f"batch-{label}-{order}", ("batch", "--count", count, "--order", order))


CASES = (
    Case("pair-64", ("pair", "--size", "64")),
    Case("pair-64-live", ("pair", "--size", "64", "--live", "10")),
    *batch_cases(),
    Case("replace-1k-small", ("replace", "--live", "1024", "--min", "16", "--max", "527")),
    Case("replace-64k-small", ("replace", "--live", "65536", "--min", "16", "--max", "527")),
    Case("replace-1k-medium", ("replace", "--live", "1024", "--min", "1024", "--max", "16384")),
    Case("prodcons-64", ("prodcons", "--min", "64", "--max", "64")),
    Case("prodcons-mixed", ("prodcons", "--min", "16", "--max", "527")),
)
