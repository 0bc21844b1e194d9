"""ftm top: what it prints in a batch, and its screen, which is driven through a terminal."""
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unittest

import target

LINES, COLUMNS = 40, 150


class Batch(unittest.TestCase):
    def test_figures_of_a_process(self):
        with target.running() as process:
            top = target.ftm_json("top", process.pid)
        self.assertEqual(top["pid"], process.pid)
        # 23,000 nodes and the big chunk; the C library has a few of its own.
        self.assertGreaterEqual(top["live_chunks"], 23001)
        self.assertLess(top["live_chunks"], 23100)
        self.assertGreaterEqual(top["live_bytes"], 23000 * 48 + (8 << 20))
        self.assertGreater(top["resident_bytes"], 23000 * 48)
        self.assertEqual(top["zones"]["large"]["chunks"], 1)
        self.assertGreaterEqual(top["zones"]["tiny"]["chunks"], 23000)
        self.assertEqual(top["threads_running"], 2)
        self.assertEqual({"profile_target", "helper"}, {t["name"] for t in top["threads"]})
        nodes = [c for c in top["classes"] if c["size"] == 48]
        # The first 100 requests of each thread share chunks of 64 bytes with other sizes.
        shared = [c for c in top["classes"] if c["size"] == 64]
        self.assertGreaterEqual(nodes[0]["live"], 23000 - 200)
        self.assertGreaterEqual(nodes[0]["live"] + shared[0]["live"], 23000)
        self.assertEqual(nodes[0]["live"] + nodes[0]["vacant"] + nodes[0]["cached"],
                         nodes[0]["chunks"])
        self.assertGreaterEqual(sum(a["chunks"] for a in top["arenas"]), 23000)

    def test_text_has_all_tables(self):
        with target.running() as process:
            text = target.ftm("top", "-b", process.pid).decode()
        for word in ("live ", "resident ", "ZONE", "TINY", "CALL SITES", "SIZE CLASSES", "ARENAS",
                     "THREADS", "helper"):
            self.assertIn(word, text)

    def test_rows_are_limited(self):
        with target.running() as process:
            top = json.loads(target.ftm("top", "--json", "-r", 1, process.pid))
        self.assertEqual(len(top["threads"]), 1)

    def test_rates_between_two_looks(self):
        with target.running() as process:
            with subprocess.Popen([target.FTM, "top", "-b", "-n", "2", "-d", "1",
                                   str(process.pid)], stdout=subprocess.PIPE, text=True) as top:
                top.stdout.readline()
                process.tell("grow")
                text = top.stdout.read()
        second = text[text.index("profile_target", 1):]
        self.assertRegex(second, r"live \+\d+ KiB/s")

    def test_list_of_processes(self):
        with target.running() as process:
            listed = target.ftm_json("top", "-r", 0)["processes"]
        mine = [p for p in listed if p["pid"] == process.pid]
        self.assertEqual(len(mine), 1)
        self.assertGreaterEqual(mine[0]["live_bytes"], 8 << 20)
        self.assertIn("profile_target", mine[0]["command"])

    def test_wrong_usage(self):
        for arguments in (("0",), ("x",), ("-n", "x"), ("-d", "0"), ("1", "2"), ("--nonsense",)):
            self.assertIn(b"--help", target.ftm("top", *arguments, status=2))
        self.assertIn(b"--batch", target.ftm("top", status=2))

    def test_process_that_ends(self):
        with target.running() as process:
            with subprocess.Popen([target.FTM, "top", "-b", "-n", "0", "-d", "0.1",
                                   str(process.pid)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as top:
                top.stdout.readline()
                process.process.kill()
                process.process.wait()
                _, errors = top.communicate(timeout=60)
        self.assertEqual((top.returncode, errors), (0, f"ftm: process {process.pid} has ended\n"))


class Terminal:
    """Runs ftm top on a terminal, and keeps what the screen shows."""

    def __init__(self, *arguments):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "vt100"
            os.execv(target.FTM, [target.FTM, "top", "-d", "0.5", *map(str, arguments)])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.screen = [[" "] * COLUMNS for _ in range(LINES)]
        self.line = self.column = 0
        self.pending = ""

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.screen)

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.line = min(self.line + 1, LINES - 1)
        elif char == "\b":
            self.column = max(self.column - 1, 0)
        elif char >= " ":
            if self.column < COLUMNS:
                self.screen[self.line][self.column] = char
            self.column += 1

    def control(self, numbers, kind):
        first = int(numbers.split(";")[0].lstrip("?") or 0)
        if kind == "H":
            line, _, column = numbers.partition(";")
            self.line, self.column = int(line or 1) - 1, int(column or 1) - 1
        elif kind == "J":
            for row in self.screen[self.line + 1:]:
                row[:] = [" "] * COLUMNS
            self.screen[self.line][self.column:] = [" "] * (COLUMNS - self.column)
        elif kind == "K":
            if first == 1:
                self.screen[self.line][:self.column + 1] = [" "] * (self.column + 1)
            else:
                self.screen[self.line][self.column:] = [" "] * (COLUMNS - self.column)
        elif kind in "ABCD":
            step = max(first, 1)
            self.line += {"A": -step, "B": step}.get(kind, 0)
            self.column += {"C": step, "D": -step}.get(kind, 0)

    def feed(self, data):
        self.pending += data
        while self.pending:
            match = re.match(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b[=>78MDEc]|[^\x1b]",
                             self.pending)
            if match is None:
                return
            self.pending = self.pending[match.end():]
            if match.group(2):
                self.control(match.group(1), match.group(2))
            elif len(match.group()) == 1:
                self.put(match.group())
            elif match.group() == "\x1bM":
                self.line = max(self.line - 1, 0)

    def wait_for(self, pattern, seconds=30):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text()):
            assert time.monotonic() < end, f"no {pattern!r} on the screen:\n{self.text()}"
            if select.select([self.fd], [], [], 0.5)[0]:
                try:
                    self.feed(os.read(self.fd, 65536).decode("utf-8", "replace"))
                except OSError:
                    raise AssertionError(f"ended, and the screen was:\n{self.text()}") from None

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def end(self):
        """Quits, and returns the exit status."""
        self.press("q")
        while True:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Screen(unittest.TestCase):
    def test_keys(self):
        with target.running() as process:
            top = Terminal(process.pid)
            top.wait_for(r"CALL SITES")
            top.wait_for(r"live 9\.\d MiB in 23,0\d\d chunks")
            top.press("\t")
            top.wait_for(r"BYTESv")
            top.press(">")
            top.wait_for(r"FULLv")
            top.press("I")
            top.wait_for(r"FULL\^")
            top.press("\t\t")
            top.wait_for(r"helper")
            top.press("\\help\n")
            top.wait_for(r"F4 Filter=help")
            self.assertNotRegex(top.text(), r"%\s+\d+\s+[\d,]+\s+profile_target")
            top.press("h")
            top.wait_for(r"ftm top: keys")
            top.press("x")
            top.wait_for(r"F10 Quit")
            self.assertEqual(top.end(), 0)

    def test_it_follows_the_process(self):
        with target.running() as process:
            top = Terminal(process.pid)
            top.wait_for(r"in 23,0\d\d chunks")
            process.tell("grow")
            top.wait_for(r"in 33,0\d\d chunks")
            process.tell("free")
            top.wait_for(r"in \d{1,2} chunks")
            process.process.kill()
            process.process.wait()
            top.wait_for(r"The process has ended")
            self.assertEqual(top.end(), 0)

    def test_from_the_list_into_a_process(self):
        with target.running() as process:
            top = Terminal()
            top.wait_for(r"PROCESSES")
            top.press(f"\\{process.pid}\n")
            top.wait_for(rf"Filter={process.pid}")
            top.press("\n")
            top.wait_for(r"in 23,0\d\d chunks")
            top.press("\x1b")
            top.wait_for(r"PROCESSES")
            self.assertEqual(top.end(), 0)


if __name__ == "__main__":
    unittest.main()
