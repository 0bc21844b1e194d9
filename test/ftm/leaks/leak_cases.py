"""Runs the cases of `leak_cases` under a leak checker, and reads what it says.

Findings are {kind: {size: blocks}}, for the sizes that the case names.
"""
import contextlib
import json
import os
import re
import subprocess
import time

KINDS = {"definitely lost": "definite", "indirectly lost": "indirect",
         "possibly lost": "possible", "still reachable": "reachable"}

# Where a checker finds something else than a case expects, and why.
DIFFERENCES = {
    "ftm": {
        # Nobody can know that a mapping without a guard below it, or a chunk, is all stack. So
        # what earlier calls left below the stack pointer counts; valgrind watched the pointer.
        "a_stack_that_the_program_mapped": {"reachable": {203: 1, 105: 1}},
        "a_stack_in_a_chunk": {"reachable": {203: 1, 105: 1}},
    },
    "valgrind": {
        # Looks at writable memory only.
        "a_mapping_for_reading": {"definite": {203: 1}},
        # The pointer is behind the chunk, which has only the number of elements. LSan knows that.
        "an_array_of_no_objects": {"definite": {8: 1}},
    },
    # LSan takes any pointer into a chunk for one to its start, so it has no "possibly lost".
    "lsan": {
        # Only stacks, thread-local variables and globals are its roots.
        "a_mapping_points_to_it": {"definite": {203: 1}},
        "a_shared_mapping_points_to_it": {"definite": {203: 1}},
        "a_mapping_for_reading": {"definite": {203: 1}},
        "memory_of_sbrk_points_to_it": {"definite": {203: 1}},
        # Of chunks in a ring, none is a direct leak. A map is one: its root points to its header.
        "a_ring_is_lost": {"indirect": {57: 5}},
        "a_ring_of_shared_pointers_is_lost": {"indirect": {232: 2}},
        "a_map_is_lost": {"indirect": {203: 10, 48: 1}},
    },
}


def names(program):
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()


def expectations(text):
    """Reads the lines "expect KIND SIZE BLOCKS"."""
    wanted = {}
    for kind, size, blocks in re.findall(r"^expect (\w+) (\d+) (\d+)$", text, re.M):
        sizes = wanted.setdefault(kind, {})
        sizes[int(size)] = sizes.get(int(size), 0) + int(blocks)
    return wanted


def differing(tool, case, wanted):
    """Returns what the tool should find where the case wants this."""
    wanted = DIFFERENCES[tool].get(case, wanted)
    if tool == "lsan":
        return {kind: wanted[kind] for kind in wanted if kind in ("definite", "indirect")}
    return wanted


def only(found, wanted):
    """Leaves out blocks of other sizes, which belong to the C library."""
    sizes = {size for each in wanted.values() for size in each}
    kept = {kind: {size: blocks for size, blocks in each.items() if size in sizes}
            for kind, each in found.items()}
    return {kind: each for kind, each in kept.items() if each}


def add(found, kind, total, blocks):
    """Adds `blocks` blocks of `total` bytes together. All blocks of a record have one size."""
    sizes = found.setdefault(kind, {})
    sizes[total // blocks] = sizes.get(total // blocks, 0) + blocks


def number(text):
    return int(text.replace(",", ""))


def run_valgrind(program, case):
    """Returns what the case expects, and what valgrind finds in its first leak check."""
    done = subprocess.run(
        ["valgrind", "--leak-check=full", "--show-leak-kinds=all", "--num-callers=40",
         "--leak-resolution=high", program, case], capture_output=True, text=True, check=False)
    found = {}
    end = done.stderr.find("LEAK SUMMARY")
    pattern = (r"==\d+== ([\d,]+)(?: \(([\d,]+) direct, [\d,]+ indirect\))? bytes in ([\d,]+) "
               r"blocks are ([a-z ]+) in loss record")
    for total, direct, blocks, kind in re.findall(pattern, done.stderr[:end]):
        add(found, KINDS[kind], number(direct or total), number(blocks))
    return expectations(done.stdout), found


def run_lsan(program, case):
    """The same for a program that was built with LeakSanitizer."""
    done = subprocess.run([program, case], capture_output=True, text=True, check=False)
    found = {}
    pattern = r"(Direct|Indirect) leak of (\d+) byte\(s\) in (\d+) object\(s\)"
    for kind, total, blocks in re.findall(pattern, done.stderr):
        add(found, "definite" if kind == "Direct" else "indirect", int(total), int(blocks))
    return expectations(done.stdout), found


def settle(pid):
    """Waits until each thread is in a system call, so that the kernel tells its stack pointer; not
    for ever, because some threads never are."""
    for _ in range(50):
        running = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/syscall", encoding="utf-8") as file:
                running += file.read().startswith("running")
        if running == 0:
            return
        time.sleep(0.01)


@contextlib.contextmanager
def waiting(program, case, library, **variables):
    """The case on the library, ready to be looked at: its process and what it printed."""
    environment = dict(os.environ, LD_PRELOAD=library, **variables)
    with subprocess.Popen([program, case], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, env=environment) as process:
        printed = ""
        while not printed.endswith("ready\n"):
            line = process.stdout.readline()
            if line == "":
                raise RuntimeError(f"{case} ended early")
            printed += line
        settle(process.pid)
        try:
            yield process, printed
        finally:
            process.stdin.close()
            process.wait()


def run_ftm(ftm, source, *options):
    """Returns what `ftm leaks` finds in the source."""
    done = subprocess.run([ftm, "leaks", "--json", "--show=all", *options, source],
                          capture_output=True, text=True, check=False)
    if done.returncode not in (0, 23) or done.stderr != "":
        raise RuntimeError(f"ftm leaks {source}: {done.returncode} {done.stderr}")
    found = {}
    answer = json.loads(done.stdout)
    for record in answer["records"]:
        add(found, record["kind"], record["bytes"], record["blocks"])
    for kind, each in found.items():
        if answer["summary"][kind]["blocks"] != sum(each.values()):
            raise RuntimeError(f"the records and the summary differ: {kind}")
    if (done.returncode == 23) != ("definite" in found):
        raise RuntimeError(f"the exit status is {done.returncode}")
    return found
