"""gcc and clang build generated C and C++ with make -j4. Both sides must write the same objects."""

import functools
import hashlib
import os
import sys

import harness
from compare import Check

sys.path.append(os.path.join(os.path.dirname(harness.__file__), "workloads"))
import generate_sources

FILES = 4
MAKEFILE = """
all: c_program cc_program
c_program: {c_objects}
\t$(CC) $(FLAGS) -o $@ c0.o
cc_program: {cc_objects}
\t$(CXX) $(FLAGS) -o $@ cc0.o -pthread
%.o: %.c
\t$(CC) $(FLAGS) -O2 -c $<
%.o: %.cc
\t$(CXX) $(FLAGS) -std=c++17 -O1 -c $<
"""


def write_tree(side):
    """Writes programs of different sizes. The first one of each language is linked and run."""
    for number in range(FILES):
        side.write(f"c{number}.c", generate_sources.c_source(40 + 20 * number))
        side.write(f"cc{number}.cc", generate_sources.cpp_source(1 + number))
    objects = {
        f"{kind}_objects": " ".join(f"{kind}{n}.o" for n in range(FILES)) for kind in ("c", "cc")
    }
    side.write("Makefile", MAKEFILE.format(**objects))


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def build(compilers, flags, side, same_objects=True):
    names = [harness.program(name) for name in compilers]
    make = harness.program("make")
    write_tree(side)
    side.run([make, "-j4", f"CC={names[0]}", f"CXX={names[1]}", f"FLAGS={flags}"], seconds=280)
    outputs = [side.run([side.path(program)]).stdout for program in ("c_program", "cc_program")]
    objects = sorted(name for name in os.listdir(side.directory) if name.endswith(".o"))
    harness.check(len(objects) == 2 * FILES, f"only {objects}")
    # Objects for link-time optimisation contain the name of their folder, which differs between the
    # two sides.
    return outputs, {name: digest(side.path(name)) for name in objects if same_objects}


def checks():
    gcc, clang = ("gcc", "g++"), ("clang", "clang++")
    what = "make -j4, C and C++, same objects"
    optimised = functools.partial(build, gcc, "-g0 -flto=2", same_objects=False)
    return [
        Check("gcc", what, functools.partial(build, gcc, "-g0"), ["cc1", "cc1plus"], 300),
        Check("clang", what, functools.partial(build, clang, "-g0"), ["clang"], 300),
        Check("gcc", "make -j4 with link-time optimisation", optimised, ["cc1", "lto1"], 300),
    ]
