"""Names the Debian packages that the benchmarks can use: peers, tools, and whole programs."""

import allocators
import cases_whole

TOOLS = ("strace", "gnuplot-nox")
PACKAGES = (*allocators.PACKAGES, *TOOLS, *cases_whole.PACKAGES)
