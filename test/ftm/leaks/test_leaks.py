"""ftm leaks: each case in a live process, stopped or not, in its core file, in its snapshot, or in
a snapshot that it writes itself, as where nobody may look from outside.

usage: test_leaks.py live|stop|core|snapshot|inside
"""
import os
import shutil
import subprocess
import sys
import tempfile

import leak_cases

PROGRAM = os.environ["FT_LEAK_CASES"]
LIBRARY = os.environ["FT_LIBRARY"]
DEBUG_LIBRARY = os.environ["FT_DEBUG_LIBRARY"]
FTM = os.environ["FT_FTM"]

# A core file takes gdb a second, so only some of the cases have one: each kind of root, a large
# chunk, and pointers into chunks.
WITH_CORE = ("a_global_points_to_it", "a_list_is_lost", "a_ring_is_lost", "the_stack_points_to_it",
             "another_stack_points_to_it", "a_thread_local_variable_of_another", "specific_data",
             "a_mapping_points_to_it", "a_loaded_library_points_to_it", "a_large_chunk_is_held",
             "a_freed_large_chunk_points_to_it", "a_pointer_to_the_second_base", "shared_pointers",
             "aligned_chunks")


def look(how, process, folder):
    if how == "inside":
        return leak_cases.run_ftm(FTM, os.path.join(folder, "own"))
    if how == "live":
        return leak_cases.run_ftm(FTM, str(process.pid))
    if how == "stop":
        return leak_cases.run_ftm(FTM, str(process.pid), "--stop")
    if how == "snapshot":
        snapshot = os.path.join(folder, "snapshot")
        subprocess.run([FTM, "dump", "--contents", "-o", snapshot, str(process.pid)], check=True,
                       stdout=subprocess.DEVNULL)
        return leak_cases.run_ftm(FTM, snapshot)
    subprocess.run(["gcore", "-o", os.path.join(folder, "core"), str(process.pid)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    core = os.path.join(folder, f"core.{process.pid}")
    found = leak_cases.run_ftm(FTM, core)
    os.unlink(core)
    return found


def main():
    how = sys.argv[1]
    if how == "core" and shutil.which("gcore") is None:
        print("gdb is not installed")
        return 77
    cases = [case for case in leak_cases.names(PROGRAM) if how != "core" or case in WITH_CORE]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            libraries, variables = LIBRARY, {}
            if how == "inside":
                libraries += ":" + DEBUG_LIBRARY
                variables["LEAK_CASES_DUMP"] = os.path.join(folder, "own")
            with leak_cases.waiting(PROGRAM, case, libraries, **variables) as (process, printed):
                found = look(how, process, folder)
            truth = leak_cases.expectations(printed)
            wanted = leak_cases.differing("ftm", case, truth)
            found = leak_cases.only(found, wanted)
            # What hides a leak, such as a word left by an earlier call, is not always there.
            if found not in (wanted, truth):
                print(f"{case}: found {found}, expected {wanted}")
                wrong += 1
    print(f"{len(cases)} cases, {wrong} wrong")
    return 1 if wrong > 0 or len(cases) < 14 else 0


sys.exit(main())
