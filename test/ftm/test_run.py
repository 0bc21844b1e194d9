"""ftm run, ftm set, ftm dump: streams of processes, exit status, snapshots, modes at run time."""
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import tempfile
import time
import unittest

FTM = os.environ["FT_FTM"]
CASE = os.environ["FT_RUN_CASE"]
LIBRARY = os.environ["FT_LIBRARY"]
MISUSE = os.environ["FT_MISUSE_PROGRAM"]
DEBUG_LIBRARY = os.environ["FT_DEBUG_LIBRARY"]


def ftm(*arguments, **options):
    return subprocess.run([FTM, *map(str, arguments)], capture_output=True, text=True, check=False,
                          timeout=60, **options)


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.output = pathlib.Path(self.folder.name, "recording")

    def streams(self):
        """The snapshots, as (PID, N), in the order of their names."""
        names = [path.name.split(".") for path in self.output.parent.iterdir()]
        self.assertTrue(all(name[0] == "recording" and len(name) == 3 for name in names), names)
        return sorted((int(pid), int(number)) for _, pid, number in names)


class Run(Folder):
    def test_the_exit_status_is_the_programs(self):
        for status in (0, 1, 77):
            done = ftm("run", "--", "sh", "-c", f"exit {status}")
            self.assertEqual(done.returncode, status, done.stderr)

    def test_a_signal_is_128_and_its_number(self):
        done = ftm("run", "--", "sh", "-c", "kill -TERM $$")
        self.assertEqual(done.returncode, 128 + signal.SIGTERM)
        self.assertIn("was ended by signal 15", done.stderr)
        self.assertIn("ended without being read", done.stderr)

    def test_what_cannot_be_started(self):
        self.assertEqual(ftm("run", "/nonexistent").returncode, 127)
        self.assertEqual(ftm("run", "/etc/passwd").returncode, 126)

    def test_wrong_usage(self):
        for words in ((), ("foo=1", "true"), ("limit", "true"), ("--nonsense", "true")):
            done = ftm("run", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("Try `ftm run --help`", done.stderr)

    def test_output_of_the_program_is_its_own(self):
        done = ftm("run", "--", "echo", "text")
        self.assertEqual(done.stdout, "text\n")
        self.assertRegex(done.stderr, r"ftm: \d+ ended with .* live in \d+ chunks: echo text")
        self.assertEqual(ftm("run", "-q", "--", "echo", "text").stderr, "")

    def test_modes_are_variables(self):
        done = ftm("run", "-q", "history=7,3", "guard", "--", "sh", "-c",
                   "echo $FT_MALLOC_HISTORY $FT_MALLOC_GUARD")
        self.assertEqual(done.stdout, "7,3 1000\n")

    def test_options_of_the_program_are_its_own(self):
        self.assertEqual(ftm("run", "-q", "echo", "-o", "x").stdout, "-o x\n")

    def test_a_stream_for_each_process_and_program(self):
        done = ftm("run", "-o", self.output, "harden", "--", CASE, "tree")
        self.assertEqual(done.returncode, 0, done.stderr)
        parent, forked, executed = (int(pid) for pid in done.stdout.split())
        self.assertEqual(self.streams(), sorted([(parent, 1), (forked, 1), (executed, 2)]))

    def test_a_child_that_ends_by_exit_of_the_kernel_is_read(self):
        done = ftm("run", "-o", self.output, "harden", "--", CASE, "quick")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.streams()), 2)

    def test_a_child_of_vfork_says_nothing(self):
        done = ftm("run", "-o", self.output, "harden", "--", CASE, "vfork")
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertEqual(len(self.streams()), 1)

    def test_the_snapshot_has_what_the_process_had(self):
        done = ftm("run", "-o", self.output, "harden", "--", CASE, "list")
        [snapshot] = self.output.parent.iterdir()
        shown = ftm("list", "--min", 100000, "--max", 100999, snapshot).stdout
        for size in range(100000, 100010):
            self.assertIn(f" : {size} bytes", shown, done.stderr)

    def test_leaks_are_told_and_change_the_exit_status(self):
        done = ftm("run", "--leaks", "--", CASE, "leak")
        self.assertRegex(done.stderr, r"definitely lost: 12,345 bytes in 1 blocks")
        self.assertEqual(done.returncode, 23)

    def test_a_process_that_nobody_may_read_writes_itself(self):
        done = ftm("run", "-o", self.output, "harden", "--", CASE, "undumpable")
        if os.geteuid() == 0:
            self.skipTest("root may read every process")
        self.assertEqual(len(self.streams()), 1, done.stderr)

    def test_a_double_free_is_told_with_threads_and_names(self):
        done = ftm("run", "-o", self.output, "history=100", "harden", "--", MISUSE,
                   "double_free_by_other_thread")
        self.assertEqual(done.returncode, 128 + signal.SIGABRT)
        report, known = done.stderr.split(" crashed with ", 1)
        self.assertRegex(report, r"^ft_malloc: free\(\): double free of 0x")
        caller, freed, allocated = re.search(
            r"called by thread (\d+):.*freed by thread (\d+), .*allocated by thread (\d+), ",
            report, re.DOTALL).groups()
        self.assertNotEqual(caller, freed)
        self.assertEqual(freed, allocated)
        self.assertRegex(known, rf"(?s)allocated by thread {allocated}.*chunk_of \(.*"
                                rf"freed by thread {freed}.*double_free_by_other_thread \(")
        self.assertEqual(len(self.streams()), 1)

    def test_many_children_at_once(self):
        done = ftm("run", "-q", "--", "sh", "-c",
                   "for i in $(seq 200); do /bin/true & done; wait; exit 4")
        self.assertEqual((done.returncode, done.stderr), (4, ""))


class Started(Folder):
    def start(self, *arguments):
        environment = {**os.environ, "LD_PRELOAD": LIBRARY}
        process = subprocess.Popen([CASE, *arguments], env=environment, stdout=subprocess.PIPE,
                                   stdin=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process


class Set(Started):
    def test_modes_are_switched_on_and_off(self):
        process = self.start("busy")
        self.assertEqual(ftm("profile", process.pid).returncode, 2)
        self.assertEqual(ftm("set", process.pid, "record=1", "history=10,4").stdout,
                         "record=1\nhistory=10,4\n")
        self.assertEqual(ftm("set", process.pid, "record").stdout, "record=1\n")
        time.sleep(0.3)
        self.assertIn("live in", ftm("profile", process.pid).stdout)
        self.assertEqual(ftm("set", process.pid, "record=0").stdout, "record=0\n")

    def test_what_is_not_safe_is_refused(self):
        process = self.start("busy")
        for option in ("harden=1", "nonsense=1", "profile=x"):
            done = ftm("set", process.pid, option)
            self.assertEqual(done.returncode, 1, option)
            self.assertRegex(done.stderr, "^ftm: refused: option ")
        said = json.loads(ftm("set", "--json", process.pid, "harden=1").stdout)
        self.assertEqual(said["name"], "harden")
        self.assertIn("cannot be changed", said["refused"])

    def test_several_at_once_take_turns(self):
        process = self.start("busy")
        words = [FTM, "set", str(process.pid), "limit"]
        asking = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(8)]
        self.assertEqual({one.communicate(timeout=60)[0] for one in asking}, {"limit=0\n"})

    def test_a_process_that_makes_no_calls_does_not_answer(self):
        process = self.start("wait")
        done = ftm("set", "--wait", 1, process.pid, "record=1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("has not answered", done.stderr)

    def test_wrong_usage(self):
        for words in ((), ("1",), ("--wait", "x", "1", "a=1"), ("--nonsense", "1", "a=1")):
            self.assertEqual(ftm("set", *words).returncode, 2, words)
        self.assertEqual(ftm("set", 2**22 - 1, "record=1").returncode, 2)


class Dump(Started):
    def test_lists_are_equal(self):
        process = self.start("wait")
        for contents in ((), ("--contents",), ("--uncompressed",)):
            done = ftm("dump", "-o", self.output, *contents, process.pid)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(ftm("list", self.output).stdout, ftm("list", process.pid).stdout)

    def test_code_of_the_library_is_left_out(self):
        """Of a running process ftm writes the constants, and no functions."""
        library = pathlib.Path(LIBRARY).read_bytes()
        place, count = struct.unpack_from("<Q", library, 32)[0], library[56]
        segments = [struct.unpack_from("<IIQQQQQQ", library, place + 56 * i) for i in range(count)]
        start, size = next((s[2], s[5]) for s in segments if s[0] == 1 and s[1] & 1)
        process = self.start("wait")
        ftm("dump", "--uncompressed", "-o", self.output, process.pid)
        written = self.output.read_bytes()
        self.assertTrue(b"ft_malloc layout" in written)
        for tenth in range(3, 6):
            code = library[start + size * tenth // 10:][:64]
            self.assertFalse(code in written, tenth)

    def test_contents_are_those_of_the_process(self):
        process = self.start("wait")
        line = ftm("list", "--min", 54321, "--max", 54321, process.pid).stdout.splitlines()[1]
        address = line.split()[0]
        ftm("dump", "-o", self.output, "--contents", process.pid)
        wanted = ftm("hex", process.pid, address).stdout
        self.assertIn("6d 61 72 6b", wanted)
        self.assertEqual(ftm("hex", self.output, address).stdout, wanted)

    def test_one_after_the_other(self):
        process = self.start("wait")
        done = ftm("dump", "--json", "-o", self.output, "--every", 1, "--count", 2, process.pid)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(path.name for path in self.output.parent.iterdir()),
                         ["recording.1", "recording.2"])
        for said in done.stdout.replace("}", "}\0").split("\0")[:-1]:
            written = json.loads(said)
            self.assertEqual(written["bytes"], pathlib.Path(written["file"]).stat().st_size)
            self.assertGreater(written["bytes"], 4000)

    def written_total(self):
        """Returns the live bytes of the snapshot, or -1 if there is none, or a part of one."""
        if not self.output.exists():
            return -1
        shown = subprocess.run([FTM, "list", "--total", self.output], capture_output=True,
                               text=True, check=False)
        total = re.search(r"Total : (\d+)", shown.stdout)
        return int(total[1]) if total else -1

    def wait_for_total(self, least):
        end = time.monotonic() + 60
        while self.written_total() < least:
            self.assertLess(time.monotonic(), end, "no snapshot of %d bytes" % least)
            time.sleep(0.05)

    def test_the_peak(self):
        process = self.start("peak")
        dump = subprocess.Popen([FTM, "dump", "--peak", "-o", self.output, str(process.pid)],
                                stdout=subprocess.DEVNULL)
        self.addCleanup(dump.wait)
        # The first snapshot shows that it looks, the last one that it saw the peak.
        for least, line in ((0, "grow\n"), (39 << 20, "shrink\n")):
            self.wait_for_total(least)
            process.stdin.write(line)
            process.stdin.flush()
        self.assertEqual(dump.wait(timeout=60), 0)
        self.assertGreaterEqual(self.written_total(), 39 << 20)

    def test_a_process_that_ended(self):
        done = ftm("dump", "-o", self.output, "--peak", 2**22 - 1)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(ftm("dump", "-o", self.output, 2**22 - 1).returncode, 2)

    def test_wrong_usage(self):
        for words in ((), ("1",), ("-o", "x"), ("-o", "x", "--every", "0", "1"),
                      ("-o", "x", "--count", "2", "1"), ("-o", "x", "--peak", "--every", "1", "1")):
            self.assertEqual(ftm("dump", *words).returncode, 2, words)

    def test_a_file_that_cannot_be_written(self):
        process = self.start("wait")
        done = ftm("dump", "-o", "/nonexistent/x", process.pid)
        self.assertEqual(done.returncode, 2)
        self.assertIn("cannot write /nonexistent/x", done.stderr)


class DumpSignal(Folder):
    """FT_MALLOC_DUMP with a signal, which libft_malloc_debug.so handles."""

    def start(self, case, option):
        with open(self.output, "wb") as file:
            environment = {**os.environ, "LD_PRELOAD": DEBUG_LIBRARY + " " + LIBRARY,
                           "FT_MALLOC_DUMP": option.format(file.fileno())}
            process = subprocess.Popen([CASE, case], env=environment, stdout=subprocess.PIPE,
                                       stdin=subprocess.PIPE, text=True, pass_fds=[file.fileno()])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def wait_for_snapshot(self):
        for _ in range(200):
            time.sleep(0.05)
            done = ftm("list", "--total", self.output)
            if done.returncode == 0:
                return done.stdout
        self.fail("no snapshot: " + done.stderr)

    def test_a_snapshot_comes_at_each_signal(self):
        for option in ("{},USR1", "{},exit,SIGUSR1", f"{{}},{int(signal.SIGUSR1)}"):
            process = self.start("wait", option)
            process.send_signal(signal.SIGUSR1)
            self.assertEqual(self.wait_for_snapshot(), ftm("list", "--total", process.pid).stdout)
            self.assertIsNone(process.poll())
            process.kill()

    def test_the_programs_handler_is_called_too(self):
        process = self.start("handler", "{},USR1")
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.stdout.readline(), "handled\n")
        self.wait_for_snapshot()
        raw = self.output.read_bytes()
        for part in (b"/libft_malloc.so", b"run_case\0handler\0", b"[stack]"):
            self.assertIn(part, raw)


if __name__ == "__main__":
    unittest.main()
