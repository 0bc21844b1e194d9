"""The symbolizer, on a program that is compiled here: stripped, replaced, deleted, and so on."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

CASE = os.environ["FT_SYMBOLS_CASE"]
TARGET = pathlib.Path(os.environ["FT_SYMBOLS_TARGET"])
SOURCE = pathlib.Path(__file__).resolve().parent / "symbols_target.cc"
LINES = {match: number for number, line in enumerate(SOURCE.read_text().splitlines(), 1)
         for match in re.findall(r"// (INNER|OUTER)$", line)}


def symbolize(*arguments):
    """Returns the frames of each address, and the modules: {path: build-id}."""
    done = subprocess.run([CASE, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    frames, modules = {}, {}
    for line in done.stdout.splitlines():
        if line.startswith("module "):
            _, build_id, path = line.split(" ", 2)
            modules[path] = build_id
            continue
        address, inlined, number, function, linkage, file, module, offset = line.split("\t")
        frames.setdefault(int(address, 16), []).append(
            {"inlined": inlined == "i", "line": int(number), "function": function,
             "linkage": linkage, "file": pathlib.Path(file).name, "module": module,
             "offset": int(offset, 16)})
    return frames, modules


@contextlib.contextmanager
def running(program):
    """Runs the target; yields it, and the two addresses: a call, and a function."""
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        try:
            call, function = (int(word, 16) for word in process.stdout.readline().split())
            yield process, call - 1, function
        finally:
            process.stdin.close()
            process.wait()


class Symbols(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.program = self.folder / "target"
        shutil.copy(TARGET, self.program)

    def check_lines(self, frames):
        self.assertEqual([(f["function"], f["file"], f["line"], f["inlined"]) for f in frames],
                         [("shop::Shelf<long>::inner()", SOURCE.name, LINES["INNER"], True),
                          ("shop::outer(int)", SOURCE.name, LINES["OUTER"], False)])

    def test_inlined_functions_and_lines(self):
        with running(self.program) as (process, call, function):
            frames, modules = symbolize(process.pid, f"{call:x}", f"{function:x}")
        self.check_lines(frames[call])
        self.assertEqual(frames[function][0]["function"], "where")
        self.assertEqual(frames[call][0]["module"], str(self.program))
        self.assertRegex(modules[str(self.program)], r"^[0-9a-f]{40}$")

    def test_address_outside_of_everything(self):
        with running(self.program) as (process, _, _):
            frames, _ = symbolize(process.pid, "10", "ffffffffffffffff", "0")
        for address in (0x10, 2**64 - 1, 0):
            self.assertEqual(len(frames[address]), 1)
            self.assertEqual(frames[address][0]["function"], "")

    def test_deleted_file(self):
        with running(self.program) as (process, call, _):
            self.program.unlink()
            frames, _ = symbolize(process.pid, f"{call:x}")
        self.check_lines(frames[call])

    def test_replaced_file_is_not_used(self):
        other = self.folder / "other"
        shutil.copy("/bin/sh", other)
        with running(self.program) as (process, call, _):
            # As a package manager does it. Who may not read map_files gets no names at all.
            other.rename(self.program)
            frames, _ = symbolize(process.pid, f"{call:x}")
        if os.geteuid() == 0:
            self.check_lines(frames[call])
        else:
            self.assertEqual(frames[call][0]["function"], "")

    def strip(self, keep_link):
        debug = self.folder / ".debug" / "target.debug"
        debug.parent.mkdir()
        subprocess.run(["objcopy", "--only-keep-debug", self.program, debug], check=True)
        subprocess.run(["strip", self.program], check=True)
        if keep_link:
            subprocess.run(["objcopy", f"--add-gnu-debuglink={debug}", self.program], check=True)

    @unittest.skipUnless(shutil.which("objcopy"), "objcopy is not installed")
    def test_separate_debug_information(self):
        self.strip(keep_link=True)
        with running(self.program) as (process, call, _):
            frames, _ = symbolize(process.pid, f"{call:x}")
        self.check_lines(frames[call])

    @unittest.skipUnless(shutil.which("objcopy"), "objcopy is not installed")
    def test_stripped_without_debug_information(self):
        self.strip(keep_link=False)
        shutil.rmtree(self.folder / ".debug")
        with running(self.program) as (process, call, _):
            frames, _ = symbolize(process.pid, f"{call:x}")
        self.assertEqual(len(frames[call]), 1)
        self.assertEqual(frames[call][0]["function"], "")
        self.assertEqual(frames[call][0]["module"], str(self.program))
        self.assertLess(frames[call][0]["offset"], 1 << 20)

    def test_lines_of_a_section_are_read_again(self):
        with running(self.program) as (process, call, function):
            words = (f"{call:x}", f"{function:x}")
            before, _ = symbolize(process.pid, *words)
            text = subprocess.run([CASE, str(process.pid), *words], capture_output=True,
                                  check=True).stdout
        file = self.folder / "section"
        file.write_bytes(text)
        after, _ = symbolize(f"@{file}", *words)
        self.assertEqual(before, after)

    def test_hostile_section(self):
        file = self.folder / "section"
        for text in (b"", b"\n\n", b"\t" * 100, b"1\t2\t3\n", b"\xff\t\0\n" * 50,
                     b"5\t-\t1\t" + b"x" * 100000 + b"\t\t\t\t0", b"5\ti\t1\ta\t\t\t\t0\n" * 1000):
            file.write_bytes(text)
            frames, _ = symbolize(f"@{file}", "5", "6")
            self.assertGreaterEqual(len(frames[5]), 1)
            self.assertLessEqual(len(frames[5]), 32)

    def perf_map(self, pid, text, owner=None):
        path = pathlib.Path(f"/tmp/perf-{pid}.map")
        path.write_text(text)
        self.addCleanup(path.unlink)
        if owner is not None:
            os.chown(path, owner, owner)
        return path

    def test_perf_map(self):
        with running(self.program) as (process, _, _):
            self.perf_map(process.pid, "1000 100 LazyCompile:*add a b\n1040 10 newer\n"
                                       "zz 1 bad\n2000\n3000 0 empty\n")
            frames, _ = symbolize(process.pid, "1000", "1045", "10ff", "1100", "3000")
        names = {address: frame[0]["function"] for address, frame in frames.items()}
        self.assertEqual(names, {0x1000: "LazyCompile:*add a b", 0x1045: "newer",
                                 0x10ff: "LazyCompile:*add a b", 0x1100: "", 0x3000: ""})

    def test_perf_map_in_a_container(self):
        """The process has another number there, and a /tmp of its own."""
        script = ("mount -t tmpfs none /tmp && echo '1000 100 inside' >/tmp/perf-1.map && "
                  "echo ready && exec cat")
        with subprocess.Popen(["unshare", "--user", "--map-root-user", "--pid", "--fork",
                               "--mount", "sh", "-c", script], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as outer:
            if outer.stdout.readline() != "ready\n":
                self.skipTest("this machine lets nobody make namespaces")
            children = pathlib.Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text()
            frames, _ = symbolize(int(children.split()[0]), "1000")
            outer.stdin.close()
        self.assertEqual(frames[0x1000][0]["function"], "inside")

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a file of another user")
    def test_perf_map_of_another_user(self):
        with running(self.program) as (process, _, _):
            self.perf_map(process.pid, "1000 100 forged\n", owner=12345)
            frames, _ = symbolize(process.pid, "1000")
        self.assertEqual(frames[0x1000][0]["function"], "")


if __name__ == "__main__":
    unittest.main()
