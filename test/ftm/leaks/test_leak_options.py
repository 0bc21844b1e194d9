"""ftm leaks: records, exit status, kinds, and what stopping a process changes; with "stacks" as the
second argument, who allocated what is lost, and suppressions."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import leak_cases

PROGRAM = sys.argv[1]
LIBRARY = os.environ["FT_LIBRARY"]
FTM = os.environ["FT_FTM"]


def leaks(process, *options):
    return subprocess.run([FTM, "leaks", *options, str(process.pid)], capture_output=True,
                          text=True, check=False)


def require(condition, what, done=None):
    if not condition:
        print(what)
        if done is not None:
            print(done.returncode, done.stdout, done.stderr)
        sys.exit(1)


def check_text(process):
    done = leaks(process)
    require(done.returncode == 23, "leaks make the exit status 23", done)
    require(" 609 bytes in 3 blocks are definitely lost in loss record" in done.stdout,
            "three equal chunks are one record", done)
    require("162 (105 direct, 57 indirect) bytes in 1 blocks are definitely lost" in done.stdout,
            "what a lost chunk leads to is counted with it", done)
    require("1,303 bytes in 1 blocks are possibly lost" in done.stdout, "a pointer inside", done)
    require("   definitely lost: 714 bytes in 4 blocks" in done.stdout, "the summary", done)
    return done.stdout


def check_kinds(process):
    done = leaks(process, "--exit-code", "5", "--errors", "possible", "--show", "none")
    require(done.returncode == 5 and "loss record" not in done.stdout, "--show and --errors", done)
    done = leaks(process, "--errors=none", "--show=indirect")
    require(done.returncode == 0 and "57 bytes in 1 blocks are indirectly lost" in done.stdout,
            "indirect records", done)
    done = leaks(process, "--heuristics=none", "--show=all")
    require("are indirectly lost" in done.stdout, "all records", done)
    for wrong in (["--show", "some"], ["--errors=definite,"], ["--exit-code", "256"],
                  ["--heuristics", "x"], ["--passes=0"], ["--suppressions", "/nowhere"]):
        done = leaks(process, *wrong)
        require(done.returncode == 2 and done.stdout == "" and done.stderr != "",
                f"{wrong} is refused", done)


def check_stacks(process, folder):
    """The stacks that the process recorded, and what suppressions leave out."""
    text = check_text(process)
    require(re.search(r"at 0x[0-9A-F]+: make \(.*stack_case.c:\d+\)\n==\d+==    by 0x[0-9A-F]+: "
                      r"lose_one \(.*stack_case.c:\d+\)\n", text), f"the stack of a leak: {text}")
    path = os.path.join(folder, "suppressions")
    for pattern, blocks, rest in (("^lose_chain$", 2, 3), ("lose_*", 5, 0), ("stack_case.c", 6, 0),
                                  ("/stack_case$", 6, 0), ("^lose_chai$", 0, 4)):
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"# test\nleak:{pattern}\n")
        done = leaks(process, "--json", "--suppressions", path)
        summary = json.loads(done.stdout)["summary"]
        require(summary["suppressed"]["blocks"] == blocks and summary["definite"]["blocks"] == rest,
                f"{pattern} suppresses {blocks}", done)
        require(done.returncode == (23 if rest > 0 else 0), "the exit status", done)


def state(process):
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0]


def check_register():
    """Only a register has the address: a process that goes on does not tell."""
    with leak_cases.waiting(PROGRAM, "register", LIBRARY) as (process, _):
        found = leak_cases.run_ftm(FTM, str(process.pid), "--stop")
        require(found.get("reachable", {}).get(203) == 1,
                "the chunk that a register points to is reachable")
        for _ in range(100):
            if state(process) in "RS":
                break
            time.sleep(0.01)
        require(state(process) in "RS", "the process goes on afterwards")


def check_stopped_before():
    """A process that a signal has stopped stays so."""
    with leak_cases.waiting(PROGRAM, "", LIBRARY) as (process, _):
        process.send_signal(signal.SIGSTOP)
        while state(process) != "T":
            time.sleep(0.01)
        done = leaks(process, "--stop")
        require(done.returncode == 23 and "definitely lost: 714" in done.stdout, "--stop", done)
        # The kernel stops it again when nobody traces it any more, which takes a moment.
        for _ in range(1000):
            if state(process) == "T":
                break
            time.sleep(0.01)
        stopped = state(process) == "T"
        process.send_signal(signal.SIGCONT)
        require(stopped, "it is still stopped")


def check_busy():
    """Pointers move all the time, and nothing is lost when everything stands still."""
    with leak_cases.waiting(PROGRAM, "busy", LIBRARY) as (process, _):
        for _ in range(5):
            done = leaks(process, "--stop", "--errors=definite,possible")
            require(done.returncode == 0, "a moment of a busy process has no leak", done)
        done = leaks(process, "--passes=6", "--json")
        lost = json.loads(done.stdout)["summary"]["definite"]["blocks"]
        require(lost <= 4, f"{lost} of 8192 chunks that move seem lost in six passes", done)


def check_guarded():
    """What a guarded chunk points to is lost with it."""
    with leak_cases.waiting(PROGRAM, "", LIBRARY) as (process, _):
        plain = json.loads(leaks(process, "--json").stdout)["summary"]
    with leak_cases.waiting(PROGRAM, "", LIBRARY, FT_MALLOC_GUARD="1") as (process, _):
        done = leaks(process, "--json")
        guarded = json.loads(done.stdout)["summary"]
        for kind in ("definite", "indirect"):
            require(guarded[kind] == plain[kind], f"{kind}: {plain[kind]} without guards", done)


def check_rest():
    """One pass is enough where nothing runs meanwhile; a busy process gets all that are allowed."""
    with leak_cases.waiting(PROGRAM, "", LIBRARY) as (process, _):
        done = leaks(process, "--json")
        require(json.loads(done.stdout)["passes"] == 1, "a process that waits is read once", done)
    busy = ("import ctypes; malloc = ctypes.CDLL(None).malloc; malloc.restype = ctypes.c_void_p\n"
            "malloc(1 << 13); print('ready', flush=True)\nwhile True: pass")
    with subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, LD_PRELOAD=LIBRARY)) as process:
        try:
            require(process.stdout.readline() == "ready\n", "the busy process began")
            done = leaks(process, "--passes=2", "--json")
            require(json.loads(done.stdout)["passes"] == 2, "a busy process is read twice", done)
        finally:
            process.kill()


def main():
    if sys.argv[2:] == ["stacks"]:
        with tempfile.TemporaryDirectory() as folder, \
                leak_cases.waiting(PROGRAM, "", LIBRARY, FT_MALLOC_RECORD="1") as (process, _):
            check_stacks(process, folder)
        return
    with leak_cases.waiting(PROGRAM, "", LIBRARY) as (process, _):
        text = check_text(process)
        require("Who allocated them is not known" in text, text)
        check_kinds(process)
    check_register()
    check_stopped_before()
    check_busy()
    check_rest()
    check_guarded()


main()
