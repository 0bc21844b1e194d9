"""Lists all checks in the order in which they run. The long suites come last."""

import compilers
import cpython
import databases
import runtimes
import stores
import stress
import tools
import web


def all_checks():
    found = []
    for module in (tools, stress, stores, web, databases, runtimes, compilers, cpython):
        found += module.checks()
    return found
