"""ft_malloc_dump() and FT_MALLOC_DUMP: what they write, while threads go on, and their errors."""
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

from list_process import TARGET, chunks_of, ftm, run_ftm, running
from sections import COMMAND, END, HEADER_LAYOUT, MAPS, MEMORY, ZEROS, sections

LIBRARY = os.environ["FT_LIBRARY"]


class Written(unittest.TestCase):
    def test_every_root_of_the_layout_is_in_the_snapshot(self):
        """A word of the layout that is an address near it is one of a root."""
        with running("small") as process:
            contents = process.bytes_of("dumped")
        address, = struct.unpack_from("<Q", contents, HEADER_LAYOUT)
        pieces = [(part.address, part.length) for part in sections(contents)
                  if part.kind in (MEMORY, ZEROS)]
        layout = next(part.payload for part in sections(contents) if part.address == address)
        words = struct.unpack(f"<{len(layout) // 8}Q", layout[:len(layout) // 8 * 8])
        roots = [word for word in words if abs(word - address) < 1 << 24]
        self.assertGreater(len(roots), 12)
        for root in roots:
            self.assertTrue(any(start <= root < start + length for start, length in pieces),
                            f"layout + {hex(words.index(root) * 8)}")

    def test_while_threads_go_on(self):
        for environment in ({}, {"FT_MALLOC_HARDEN": "1"}):
            with running("dumping", **environment) as process:
                kept = process.kept()
                for name in ("busy0", "busy1", "busy2"):
                    path = process.folder / name
                    found = dict(chunks_of(ftm("list", path)))
                    self.assertEqual({start: found.get(start) for start in kept}, kept, name)
                for start, size in list(kept.items())[::200]:
                    contents = ftm("hex", "--raw", "--all", process.folder / "busy1", hex(start))
                    self.assertEqual(contents, bytes([size % 251]) * size)

    def test_errors(self):
        subprocess.run([TARGET, "errors", "/"], check=True, timeout=60)


class Environment(unittest.TestCase):
    def dump_of(self, command, value="9", **environment):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "snapshot"
            variables = {**os.environ, "FT_MALLOC_DUMP": value, "LD_PRELOAD": LIBRARY,
                         **environment}
            subprocess.run(["bash", "-c", f"exec {command} 9>{path}"], check=True, timeout=60,
                           env=variables)
            contents = path.read_bytes()
            listing = ftm("list", path) if contents else None
            return contents, listing

    def test_at_exit(self):
        for value in ("9", "9,exit", "9,exit,USR1"):
            contents, listing = self.dump_of("sort -o /dev/null /etc/hostname", value)
            self.assertGreater(len(list(sections(contents))), 10)
            self.assertRegex(listing, rb"Total : [1-9][0-9]* bytes")

    def test_with_the_debug_library_it_has_mappings_and_the_command(self):
        libraries = f"{LIBRARY}:{os.environ['FT_DEBUG_LIBRARY']}"
        contents, _ = self.dump_of("sort -o /dev/null /etc/hostname", LD_PRELOAD=libraries)
        found = {part.kind: (part.address, part.payload) for part in sections(contents)}
        self.assertIn(b"libft_malloc.so", found[MAPS][1])
        self.assertEqual(found[COMMAND][1], b"sort\0-o\0/dev/null\0/etc/hostname\0")
        self.assertGreater(found[COMMAND][0], 1)

    def test_with_a_signal_alone_there_is_none_at_exit(self):
        self.assertEqual(self.dump_of("sort -o /dev/null /etc/hostname", "9,USR1"), (b"", None))

    def test_the_child_of_a_fork_writes_none(self):
        contents, _ = self.dump_of("bash -c '(exit 0); exit 0'")
        self.assertEqual([part.kind for part in sections(contents)].count(END), 1)

    def test_a_closed_descriptor_does_no_harm(self):
        self.assertEqual(self.dump_of("sort -o /dev/null /etc/hostname", "77"), (b"", None))

    def test_values_that_make_no_sense(self):
        for value in ("", "x", "9,", "9,exit,", "9,exit,USR1,more", "99999999", "-1", "9,Exit"):
            done = subprocess.run(["true"], env={"FT_MALLOC_DUMP": value, "LD_PRELOAD": LIBRARY},
                                  stderr=subprocess.PIPE, check=False)
            self.assertIn(b"FT_MALLOC_DUMP", done.stderr, value)


class Refused(unittest.TestCase):
    def test_a_snapshot_without_contents_has_no_bytes(self):
        with running("small") as process:
            start, _ = process.chunks()[0]
            done = run_ftm("hex", process.folder / "dumped", hex(start))
            self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
