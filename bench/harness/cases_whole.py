"""Lists the whole programs.

Each case is one run of a script of bench/whole/, and its time is the time of that run.
"""

from case import Case

PACKAGES = (
    "redis-server",
    "redis-tools",
    "sqlite3",
    "python3",
    "perl",
    "lua5.4",
    "g++",
    "clang",
    "ghostscript",
    "z3",
    "cog",
    "fonts-dejavu-core",
)


def whole(name, script, argument, about, quick=False):
    command = (f"whole/{script}", *([argument] if argument else []))
    return Case(name, command, about, "whole", unit="ms", quick=quick)


CASES = (
    whole(
        "redis-set",
        "redis",
        "set",
        "a server: 400,000 SETs of 100,000 keys, old values go",
        quick=True,
    ),
    whole(
        "redis-lpush",
        "redis",
        "lpush",
        "a server: 400,000 LPUSHes on 2,000 lists, which grow by realloc",
    ),
    whole("redis-hset", "redis", "hset", "a server: 400,000 HSETs on 2,000 hashes"),
    whole("redis-lrange", "redis", "lrange", "a server: 60,000 answers of 100 elements each"),
    whole(
        "sqlite3",
        "program",
        "sqlite3",
        "a database in memory: inserts, indices, joins, groups",
        quick=True,
    ),
    whole(
        "python3",
        "program",
        "python3",
        "dicts, lists, strings, classes, JSON; every object by malloc",
        quick=True,
    ),
    whole("perl", "program", "perl", "hashes of arrays, strings, regular expressions, closures"),
    whole(
        "lua",
        "program",
        "lua",
        "tables, strings, closures, coroutines, a garbage collector",
        quick=True,
    ),
    whole(
        "gcc",
        "program",
        "gcc",
        "g++ compiles a source with many templates: driver, compiler, assembler",
    ),
    whole("clang", "program", "clang", "clang++ compiles the same source"),
    whole(
        "ghostscript",
        "program",
        "ghostscript",
        "12 pages of text, curves and gradients are rendered",
    ),
    whole("z3", "program", "z3", "a solver: clauses, integers, bit vectors, arrays"),
    whole(
        "browser",
        "browser",
        "",
        "WebKit starts, loads and paints a page with 24,000 elements and a script",
    ),
)
