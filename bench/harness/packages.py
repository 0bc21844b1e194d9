"""The Debian packages that the benchmarks can use: peers, tools, programs of the whole-program
cases."""

import allocators
import cases_whole

TOOLS = ("strace", "gnuplot-nox")
PACKAGES = (*allocators.PACKAGES, *TOOLS, *cases_whole.PACKAGES)
