"""ftm map: the account adds up to what the kernel counts, and its parts are what the program did;
with "stacks" as the second argument, which stacks keep nearly empty slabs."""
import json
import os
import re
import subprocess
import sys
import tempfile

import leak_cases

PROGRAM = sys.argv[1]
LIBRARY = os.environ["FT_LIBRARY"]
FTM = os.environ["FT_FTM"]
PARTS = ("live", "slack", "cached", "not_yet_returned", "own", "other")
MIB = 1 << 20


def require(condition, what):
    if not condition:
        print(what)
        sys.exit(1)


def kernel_rss(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return int(re.search(r"^Rss:\s+(\d+) kB", file.read(), re.M).group(1)) * 1024


def ftm_map(source, *options):
    done = subprocess.run([FTM, "map", *options, str(source)], capture_output=True, text=True,
                          check=False)
    require(done.returncode == 0 and done.stderr == "", f"{options}: {done}")
    return done.stdout


def near(value, wanted, slack):
    return abs(value - wanted) <= slack


def check_account(process, case):
    """Returns the account, after comparing its sum with the kernel's figure."""
    # Where the kernel has no page of zeros to share, a first look makes memory of what it reads.
    ftm_map(process.pid, "--summary")
    answer = json.loads(ftm_map(process.pid, "--json"))
    memory = answer["memory"]
    whole = sum(memory[part] for part in PARTS)
    rss = kernel_rss(process.pid)
    require(near(whole, rss, 0.02 * rss), f"{case}: the parts are {whole}, the kernel counts {rss}")
    require(near(memory["kernel_rss"], rss, 0.02 * rss), f"{case}: {memory} {rss}")
    for heap in answer["heaps"]:
        used = sum(slab["resident"] for slab in heap["slabs"])
        require(used <= heap["resident"] <= heap["bytes"], f"{case}: {heap}")
    return answer


def check_parts(case, answer, printed):
    memory = dict(answer["memory"])
    wanted = {name: int(size) for name, size in re.findall(r"^(\w+) (\d+)$", printed, re.M)}
    # Pages that go back and forth between slabs may be purged, so freed memory is at most that.
    if "freed" in wanted:
        freed = memory["cached"] + memory["not_yet_returned"]
        require(wanted["freed"] * 0.5 < freed < wanted["freed"] * 1.1 + MIB, f"{case}: {memory}")
    for part in ("live", "slack", "cached", "other"):
        if part in wanted:
            require(near(memory[part], wanted[part], 0.02 * wanted[part] + 3 * MIB),
                    f"{case}: {part} is {memory[part]}, the program says {wanted[part]}")


def check_pins(answer, stacks):
    kept = sum(pin["bytes"] for pin in answer["pinned"])
    require(kept > 5 * MIB, f"nearly empty slabs keep {kept}")
    if stacks:
        first = [frame["function"] for frame in answer["pinned"][0]["stack"]]
        require("make_pinned" in first and "make_others" not in first, f"{answer['pinned'][0]}")
    else:
        require("stack" not in answer["pinned"][0], "nobody knows the stack")


def check_text(process):
    """Colours only if they are asked for; each kind of cell; one heap only."""
    text = ftm_map(process.pid)
    require("\033" not in text and "everything else" in text and " heap 0x" in text, text)
    base = re.search(r"heap (0x[0-9A-F]+)", text).group(1)
    for by in ("occupancy", "class", "age", "resident"):
        text = ftm_map(process.pid, "--by", by, "--heap", base, "--pages", "--color=always")
        require("\033[38;5;" in text and text.count(" heap 0x") == 1, text)
    require(" heap 0x" not in ftm_map(process.pid, "--summary"), "--summary draws nothing")
    for wrong in (["--by", "x"], ["--color=x"], ["--width=0"], ["--nearly-empty=101"]):
        done = subprocess.run([FTM, "map", *wrong, str(process.pid)], capture_output=True,
                              text=True, check=False)
        require(done.returncode == 2 and done.stdout == "", f"{wrong} is refused: {done}")


def check_snapshot(process, answer):
    """A snapshot has no pages, but the same chunks."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "snapshot")
        subprocess.run([FTM, "dump", "-o", path, str(process.pid)], check=True,
                       stdout=subprocess.DEVNULL)
        other = json.loads(ftm_map(path, "--json"))
    require(not other["memory"]["pages_known"] and other["memory"]["kernel_rss"] == 0, "no pages")
    live = [[slab["live"] for slab in heap["slabs"]] for heap in answer["heaps"]]
    require(live == [[slab["live"] for slab in heap["slabs"]] for heap in other["heaps"]],
            "the snapshot has the same slabs")
    require(other["memory"]["live"] >= answer["memory"]["live"] - MIB, f"{other['memory']}")


def main():
    if sys.argv[2:] == ["stacks"]:
        with leak_cases.waiting(PROGRAM, "scatter", LIBRARY, FT_MALLOC_RECORD="1") as (process, _):
            check_pins(check_account(process, "recorded"), True)
        return
    for case in ("", "scatter", "hold", "cache", "zeros"):
        with leak_cases.waiting(PROGRAM, case, LIBRARY) as (process, printed):
            answer = check_account(process, case)
            check_parts(case, answer, printed)
            if case == "scatter":
                check_pins(answer, False)
                check_text(process)
                check_snapshot(process, answer)
    with leak_cases.waiting(PROGRAM, "hold", LIBRARY, FT_MALLOC_HARDEN="1") as (process, _):
        check_account(process, "hardened")
    # A few pages, of which each is one chunk: they are the program's, not the allocator's.
    with leak_cases.waiting(PROGRAM, "guarded", LIBRARY, FT_MALLOC_GUARD="1") as (process, _):
        guarded = check_account(process, "guarded")["memory"]
    with leak_cases.waiting(PROGRAM, "guarded", LIBRARY) as (process, printed):
        plain = check_account(process, "not guarded")["memory"]
    wanted = int(re.search(r"^live (\d+)$", printed, re.M).group(1))
    require(near(guarded["live"], wanted, wanted // 8), f"guarded: {guarded}")
    require(near(guarded["live"], plain["live"], wanted // 8), f"guarded: {guarded} {plain}")
    require(near(guarded["other"], plain["other"], wanted // 4), f"guarded: {guarded} {plain}")


main()
