"""ftm leaks and ftm map with broken snapshots and core files: an answer or an error, never a crash.

usage: test_hostile.py [ROUNDS]
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

import leak_cases

PROGRAM = os.environ["FT_LEAK_CASES"]
LIBRARY = os.environ["FT_LIBRARY"]
FTM = os.environ["FT_FTM"]
COMMANDS = (["leaks", "--show=all"], ["map", "--pages"], ["map", "--json"])
WORDS = (0, 1, 0xff, 4096, 0x7fffffff, 0xffffffff, 1 << 40, (1 << 47) - 16, 1 << 63, (1 << 64) - 1)


def broken(whole, generator):
    """Returns the file with some bytes or words changed, or cut off."""
    data = bytearray(whole)
    if generator.random() < 0.05:
        return data[:generator.randrange(len(data))]
    for _ in range(generator.choice((1, 1, 2, 5, 20, 200))):
        # Records are at the beginning; the rest is mostly contents.
        span = len(data) if generator.random() < 0.5 else min(len(data), 80000)
        at = generator.randrange(span - 8)
        what = generator.random()
        if what < 0.4:
            data[at] = generator.randrange(256)
            continue
        at -= at % 8
        if what < 0.7:
            data[at:at + 8] = generator.choice(WORDS).to_bytes(8, "little")
        else:
            other = generator.randrange(len(data) - 16) // 8 * 8
            data[at:at + 8] = data[other:other + 8]
    return data


def check(path, kind, number):
    for command in COMMANDS:
        done = subprocess.run([FTM, *command, path], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=100, check=False)
        if done.returncode not in (0, 2, 23) or (done.returncode == 2 and done.stderr == b""):
            print(f"{kind} {number}: {command} ended with {done.returncode}: {done.stderr}")
            return 1
    return 0


def check_file(path, kind, rounds):
    with open(path, "rb") as file:
        whole = file.read()
    wrong = 0
    for number in range(rounds):
        with open(path, "wb") as file:
            file.write(broken(whole, random.Random(number)))
        wrong += check(path, kind, number)
    return wrong


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        snapshot = os.path.join(folder, "snapshot")
        core = os.path.join(folder, "core")
        with leak_cases.waiting(PROGRAM, "containers", LIBRARY, FT_MALLOC_RECORD="1") as case:
            pid = str(case[0].pid)
            subprocess.run([FTM, "dump", "--contents", "--uncompressed", "-o", snapshot, pid],
                           check=True, stdout=subprocess.DEVNULL)
            if shutil.which("gcore") is not None:
                subprocess.run(["gcore", "-o", core, pid], check=True, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        wrong += check_file(snapshot, "snapshot", rounds)
        if os.path.exists(f"{core}.{pid}"):
            wrong += check_file(f"{core}.{pid}", "core", rounds // 5)
    return 1 if wrong > 0 else 0


sys.exit(main())
