"""ftm list, who, hex and ps: the same answer as the library inside gives, from every source."""
import json
import os
import shutil
import subprocess
import unittest

from list_process import STATIC_TARGET, chunks_of, ftm, run_ftm, running


UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
NEW_NAMESPACES = shutil.which("unshare") and subprocess.run(
    [*UNSHARE, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def sources(process):
    """The process, its core, and snapshots that the library and ftm have written."""
    yield "live", process.pid
    yield "the library's snapshot", process.folder / "dumped"
    yield "the library's snapshot with contents", process.folder / "contents"
    written = process.folder / "written"
    ftm("dump", "-o", written, process.pid)
    yield "ftm's snapshot", written
    if shutil.which("gcore"):
        yield "core", process.core()


class Same(unittest.TestCase):
    def same_from_all(self, process):
        shown = process.bytes_of("shown")
        self.assertGreater(len(process.chunks()), 5000)
        for name, source in sources(process):
            with self.subTest(name):
                self.assertEqual(ftm("list", source), shown)

    def test_a_quiet_process(self):
        with running("quiet") as process:
            self.same_from_all(process)

    def test_a_hardened_process(self):
        with running("quiet", FT_MALLOC_HARDEN="1") as process:
            self.same_from_all(process)

    def test_guarded_chunks(self):
        with running("quiet", FT_MALLOC_GUARD="20") as process:
            self.same_from_all(process)

    def test_few_arenas(self):
        with running("quiet", FT_MALLOC_ARENA_MAX="1") as process:
            self.same_from_all(process)

    def test_the_child_of_a_fork(self):
        with running("forked") as process:
            self.same_from_all(process)

    @unittest.skipUnless(NEW_NAMESPACES, "no namespaces can be made")
    def test_a_process_in_other_namespaces(self):
        """Its numbers and its files are others than ours."""
        with running("quiet", prefix=UNSHARE) as process:
            self.assertEqual(ftm("list", process.pid), process.bytes_of("shown"))

    @unittest.skipUnless(STATIC_TARGET, "no static program could be linked")
    def test_a_static_program(self):
        with running("quiet", target=STATIC_TARGET) as process:
            self.same_from_all(process)

    def test_who_and_hex(self):
        """Addresses of all kinds: starts, interiors, freed chunks, slack, headers, and others."""
        with running("quiet") as process:
            chunks = process.chunks()[::997]
            addresses = [hex(start + away) for start, size in chunks
                         for away in (0, 1, size, size + 100, -16)]
            addresses += ["0", "0x1000", "0xffffffffffffffff"]
            wanted = run_ftm("who", process.pid, *addresses).stdout
            self.assertIn(b"start of a live chunk", wanted)
            self.assertIn(b"inside of a live chunk", wanted)
            for name, source in sources(process):
                found = run_ftm("who", "--json", source, *addresses[:-3])
                self.assertEqual(json.loads(found.stdout),
                                 json.loads(run_ftm("who", "--json", process.pid,
                                                    *addresses[:-3]).stdout), name)

    def test_contents(self):
        with running("quiet") as process:
            start, size = next(chunk for chunk in process.chunks() if 200 < chunk[1] < 3000)
            wanted = ftm("hex", "--raw", process.pid, hex(start))
            self.assertEqual(len(wanted), size)
            self.assertEqual(ftm("hex", "--raw", process.folder / "contents", hex(start)), wanted)
            lacking = run_ftm("hex", process.folder / "dumped", hex(start))
            self.assertEqual(lacking.returncode, 2)
            self.assertIn(b"0 are readable", lacking.stderr)


class Busy(unittest.TestCase):
    def check_listing(self, listing, kept):
        """What is live throughout is there once, and no two chunks have an address in common."""
        found = chunks_of(listing)
        sizes = dict(found)
        self.assertEqual(len(sizes), len(found))
        end = 0
        for start, size in found:
            self.assertGreaterEqual(start, end)
            end = start + size
        missing = [hex(start) for start, size in kept.items() if sizes.get(start) != size]
        self.assertEqual(missing, [])

    def test_what_is_live_throughout_is_listed(self):
        for environment in ({}, {"FT_MALLOC_HARDEN": "1"}):
            with running("busy", **environment) as process:
                kept = process.kept()
                for _ in range(20):
                    self.check_listing(ftm("list", process.pid), kept)

    def test_a_snapshot_of_a_busy_process(self):
        with running("busy") as process:
            for number in range(3):
                path = process.folder / f"busy{number}"
                ftm("dump", "-o", path, process.pid)
                self.check_listing(ftm("list", path), process.kept())


class Filters(unittest.TestCase):
    def test_filters_and_sorting(self):
        with running("quiet") as process:
            chunks = process.chunks()
            sizes = sorted((size for _, size in chunks), reverse=True)
            pid = process.pid
            self.assertEqual([size for _, size in chunks_of(ftm("list", "--sort", "size", pid))],
                             sizes)
            self.assertEqual(chunks_of(ftm("list", "--min", "4K", pid)),
                             [chunk for chunk in chunks if chunk[1] >= 4096])
            self.assertEqual(chunks_of(ftm("list", "--max", "100", "--limit", "7", pid)),
                             [chunk for chunk in chunks if chunk[1] <= 100][:7])
            self.assertEqual(ftm("list", "--total", pid),
                             f"Total : {sum(sizes)} bytes\n".encode())
            start, size = max(chunks, key=lambda chunk: chunk[1])
            self.assertEqual(chunks_of(ftm("list", "--address", hex(start + size - 1), pid)),
                             [(start, size)])
            zones = [chunks_of(ftm("list", "--zone", zone, pid))
                     for zone in ("tiny", "SMALL", "large")]
            self.assertEqual(sorted(sum(zones, [])), chunks)
            self.assertTrue(all(zones))

    def test_json_has_the_same_chunks(self):
        with running("quiet") as process:
            answer = json.loads(ftm("list", "--json", process.pid))
            self.assertEqual([(int(chunk["address"], 16), chunk["requested"])
                              for chunk in answer["chunks"]], process.chunks())
            self.assertEqual(answer["pid"], process.pid)

    def test_ps_lists_it(self):
        with running("quiet") as process:
            found = {item["pid"]: item for item in json.loads(run_ftm("ps", "--json").stdout)}
            item = found[process.pid]
            self.assertEqual(item["live"], sum(size for _, size in process.chunks()))
            self.assertEqual(item["chunks"], len(process.chunks()))
            self.assertNotIn(os.getpid(), found)


class Refused(unittest.TestCase):
    def says(self, text, *arguments, user=None):
        done = run_ftm(*arguments, user=user)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, b"")
        first = done.stderr.decode().splitlines()[0]
        self.assertTrue(first.startswith("ftm: "), first)
        self.assertIn(text, first)

    def test_sources_that_are_none(self):
        self.says("there is no process 4194304", "list", "4194304")
        self.says("does not run on libft_malloc", "list", os.getpid())
        self.says("cannot open /nonexistent: No such file", "list", "/nonexistent")
        self.says("is not a regular file", "list", "/")
        self.says("neither a core file nor a snapshot", "list", __file__)
        self.says("a program or a library", "list", "/proc/self/exe")

    def test_wrong_arguments(self):
        with running("quiet") as process:
            self.says("--zone cannot be huge", "list", "--zone", "huge", process.pid)
            self.says("--min cannot be 5X", "list", "--min", "5X", process.pid)
            self.says("no address", "who", process.pid, "xyz")
        self.says("which", "list")
        self.says("there is no command lst", "lst")

    def test_a_zombie(self):
        with subprocess.Popen(["true"]) as child:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            self.says("only waits for its parent", "list", child.pid)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_another_users_process(self):
        with running("quiet") as process:
            self.says("it belongs to user 0 and ftm runs as user 65534", "list", process.pid,
                      user=65534)


if __name__ == "__main__":
    unittest.main()
