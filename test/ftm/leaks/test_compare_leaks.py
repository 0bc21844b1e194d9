"""What valgrind's memcheck and LeakSanitizer find in the same programs: the same, except for the
differences that leak_cases.py lists and explains.

usage: test_compare_leaks.py valgrind|lsan
"""
import os
import shutil
import subprocess
import sys
import tempfile

import leak_cases

PROGRAM = os.environ["FT_LEAK_CASES"]
SOURCES = os.path.dirname(os.path.abspath(__file__))
C_FILES = ("leak_cases.c", "cases_c.c", "cases_threads.c", "cases_memory.c")


def build_lsan(folder):
    """Builds the cases with LeakSanitizer. Returns the program, or None without clang."""
    options = ["-fsanitize=leak", "-fno-omit-frame-pointer", "-O1", "-g", "-fno-builtin",
               "-D_GNU_SOURCE"]
    program = os.path.join(folder, "leak_cases")
    objects = []
    for name in C_FILES + ("cases_cxx.cc",):
        compiler = ["clang++", "-std=c++17"] if name.endswith(".cc") else ["clang", "-std=c17"]
        objects.append(os.path.join(folder, name + ".o"))
        subprocess.run([*compiler, *options, "-c", os.path.join(SOURCES, name), "-o",
                        objects[-1]], check=True)
    subprocess.run(["clang++", "-fsanitize=leak", *objects, "-o", program, "-lpthread", "-ldl"],
                   check=True)
    subprocess.run(["clang", "-shared", "-fPIC", os.path.join(SOURCES, "leak_plugin.c"), "-o",
                    os.path.join(folder, "leak_plugin.so")], check=True)
    return program


def find(tool, program, run, case):
    """What the tool finds in a case, and what it should find."""
    wanted, found = run(program, case)
    return leak_cases.only(found, wanted), leak_cases.differing(tool, case, wanted)


def compare(tool, program, run):
    wrong = 0
    cases = leak_cases.names(program)
    for case in cases:
        # A word that happens to look like a pointer makes a lost block possibly lost in one run.
        for _ in range(3):
            found, wanted = find(tool, program, run, case)
            if found == wanted:
                break
        else:
            print(f"{tool} {case}: found {found}, expected {wanted}")
            wrong += 1
    print(f"{tool}: {len(cases)} cases, {wrong} unexplained differences, "
          f"{len(leak_cases.DIFFERENCES[tool])} explained ones")
    return 1 if wrong > 0 else 0


def main():
    tool = sys.argv[1]
    if shutil.which("valgrind" if tool == "valgrind" else "clang++") is None:
        print(f"{tool} is not installed")
        return 77
    if tool == "valgrind":
        return compare(tool, PROGRAM, leak_cases.run_valgrind)
    with tempfile.TemporaryDirectory() as folder:
        return compare(tool, build_lsan(folder), leak_cases.run_lsan)


sys.exit(main())
