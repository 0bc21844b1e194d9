"""stress-ng's stressors of memory, processes and threads, with --verify.

They run for a fixed time, so that slow machines finish, too. Address space is bounded, because
--bigheap would otherwise take all memory.
"""

import functools

import harness
from compare import Check

SECONDS = 4
STRESSORS = {
    "malloc": "--malloc 2",
    "malloc, threads": "--malloc 2 --malloc-pthreads 4",
    "malloc, touch, zerofree": "--malloc 2 --malloc-touch --malloc-zerofree --malloc-bytes 256K",
    "vm": "--vm 2 --vm-bytes 64M",
    "fork": "--fork 2 --fork-max 8",
    "fork with vm pressure": "--fork 2 --fork-vm",
    "vfork": "--vfork 2",
    "forkheavy": "--forkheavy 1 --forkheavy-procs 64 --forkheavy-allocs 2048",
    "pthread": "--pthread 2 --pthread-max 64",
    "bigheap": "--bigheap 2 --bigheap-growth 1M",
    "clone": "--clone 1 --clone-max 16",
    "daemon": "--daemon 1",
    "brk": "--brk 1",
    "mremap": "--mremap 1 --mremap-bytes 16M",
    "stack": "--stack 1 --stack-fill",
    "resources": "--resources 1",
    "signals": "--sigsegv 1 --sigfpe 1 --sigabrt 1 --timer 1",
    "tree": "--tree 1 --tree-size 50000",
    "hsearch, tsearch, lsearch": "--hsearch 1 --tsearch 1 --lsearch 1",
    "list, skiplist": "--list 1 --skiplist 1",
    "sorts": "--qsort 1 --mergesort 1 --heapsort 1 --radixsort 1",
    "str, wcs": "--str 1 --wcs 1",
    "zlib": "--zlib 2",
    "dynlib": "--dynlib 1",
    "getdent, dir": "--getdent 1 --dentry 1 --dentries 200",
    "poll, sockets": "--poll 1 --sock 1 --sock-port 5900",
}
ADDRESS_SPACE = 3 << 30


def stress(options, side):
    command = [
        harness.program("prlimit"),
        f"--as={ADDRESS_SPACE}",
        harness.program("stress-ng"),
        *options.split(),
        "--verify",
        "--timeout",
        str(SECONDS),
        "--temp-path",
        side.directory,
    ]
    side.run(command, seconds=SECONDS * 12)


def checks():
    return [
        Check("stress-ng", what, functools.partial(stress, options), ["stress-ng"])
        for what, options in STRESSORS.items()
    ]
