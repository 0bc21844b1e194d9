"""Broken, cut off, foreign and hostile files: a line that says what is wrong, and never a crash."""
import os
import struct
import subprocess
import unittest

from list_process import ftm, run_ftm, running

CASE = os.environ["FT_BROKEN_CASE"]
TIMES = os.environ.get("FT_BROKEN_TIMES", "250")
SEED = os.environ.get("FT_BROKEN_SEED", "1")
HAS_ZSTD = os.environ["FT_HAS_ZSTD"] == "1"

# Offsets in the header of a snapshot, and in ft_malloc_layout: src/debug/snapshot.h and layout.h.
BYTE_ORDER, VERSION, SIZE = 8, 12, 16
LAYOUT_MAGIC, LAYOUT_VERSION, LAYOUT_SIZE = b"ft_malloc layout", 24, 28


def changed(contents, offset, format, value):
    contents = bytearray(contents)
    struct.pack_into(format, contents, offset, value)
    return bytes(contents)


class Broken(unittest.TestCase):
    def run_case(self, snapshot, folder):
        environment = {**os.environ, "ASAN_OPTIONS": "max_allocation_size_mb=64:detect_leaks=1"}
        with open(folder / "messages", "wb") as messages:
            done = subprocess.run([CASE, snapshot, folder, TIMES, SEED], stdout=subprocess.PIPE,
                                  stderr=messages, env=environment, check=False)
        said = (folder / "messages").read_text(errors="replace")
        self.assertEqual(done.returncode, 0, said[-6000:])
        return said

    def test_random_damage(self):
        """Each message is one line; a sanitizer's report is longer and ends the program."""
        for environment in ({}, {"FT_MALLOC_HARDEN": "1"}, {"FT_MALLOC_RECORD": "1"}):
            with running("small", **environment) as process:
                written = process.folder / "written"
                ftm("dump", "--uncompressed", "-o", written, process.pid)
                for snapshot in (process.folder / "dumped", written):
                    said = self.run_case(snapshot, process.folder)
                    others = [line for line in said.splitlines() if not line.startswith("ftm: ")]
                    self.assertEqual(others, [])


ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def block_of(kind, size, contents, last=False):
    return struct.pack("<I", size << 3 | kind << 1 | last)[:3] + contents


def stored(contents, window=0x58):
    """A frame of zstd that has the bytes as they are."""
    size = 1 << 17
    parts = [contents[at:at + size] for at in range(0, len(contents), size)]
    blocks = [block_of(0, len(part), part, part is parts[-1]) for part in parts]
    return ZSTD_MAGIC + bytes([0, window]) + b"".join(blocks)


def repeated(byte, blocks):
    """A frame of zstd that has a byte 128 Ki times in each block."""
    return ZSTD_MAGIC + bytes([0, 0x58]) + block_of(1, 1 << 17, byte) * blocks


class OnTarget(unittest.TestCase):
    def setUp(self):
        running_target = running("small")
        self.process = running_target.__enter__()
        self.addCleanup(running_target.__exit__, None, None, None)
        self.whole = self.process.bytes_of("dumped")
        self.layout = self.whole.index(LAYOUT_MAGIC)
        self.header, = struct.unpack_from("<I", self.whole, SIZE)

    def answer(self, contents):
        path = self.process.folder / "file"
        path.write_bytes(contents)
        return run_ftm("list", path)

    def refuses(self, contents, text):
        done = self.answer(contents)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, b"")
        self.assertIn(text, done.stderr.decode())
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)


class Refused(OnTarget):
    def test_cut_off(self):
        for size in (1, 7):
            self.refuses(self.whole[:size], "neither a core file nor a snapshot")
        for size in (8, 40, self.header - 1):
            self.refuses(self.whole[:size], "no complete header")
        for size in (self.header, self.header + 6, 1000, len(self.whole) // 2, len(self.whole) - 1):
            self.refuses(self.whole[:size], "is cut off")

    def test_another_machine(self):
        self.refuses(changed(self.whole, BYTE_ORDER, "<I", 0x04030201), "another byte order")

    def test_another_version_of_the_format(self):
        self.refuses(changed(self.whole, VERSION, "<H", 9),
                     "version 9; this ftm reads versions 1 to 3")

    def test_another_version_of_the_layout(self):
        self.refuses(changed(self.whole, self.layout + LAYOUT_VERSION, "<I", 7),
                     "records in version 7; this ftm reads version 1")

    def test_an_older_and_a_newer_library(self):
        """Fewer members are read as far as they go, and more are not looked at."""
        size, = struct.unpack_from("<I", self.whole, self.layout + LAYOUT_SIZE)
        wanted = self.process.bytes_of("shown")
        for other in (size - 8, size - 100, size + 4096):
            done = self.answer(changed(self.whole, self.layout + LAYOUT_SIZE, "<I", other))
            self.assertEqual((done.returncode, done.stdout), (0, wanted), other)
        self.refuses(changed(self.whole, self.layout + LAYOUT_SIZE, "<I", 100), "is broken")

    def test_what_is_behind_the_end_does_not_matter(self):
        done = self.answer(self.whole + b"more")
        self.assertEqual((done.returncode, done.stdout), (0, self.process.bytes_of("shown")))

    def test_a_section_that_was_changed(self):
        self.refuses(changed(self.whole, self.header + 8, "<Q", 0x1000),
                     "not those that were written")


@unittest.skipUnless(HAS_ZSTD, "ftm was built without libzstd")
class Compressed(OnTarget):
    def setUp(self):
        super().setUp()
        path = self.process.folder / "compressed"
        ftm("dump", "-o", path, self.process.pid)
        self.compressed = path.read_bytes()

    def reads(self, contents):
        done = self.answer(contents)
        self.assertEqual((done.returncode, done.stdout), (0, self.process.bytes_of("shown")),
                         done.stderr)

    def test_it_is_read_as_a_plain_one(self):
        plain = self.process.folder / "plain"
        ftm("dump", "--uncompressed", "-o", plain, self.process.pid)
        self.assertEqual(self.compressed[:4], ZSTD_MAGIC)
        self.assertLess(len(self.compressed), len(plain.read_bytes()) // 2)
        self.reads(self.compressed)
        self.reads(plain.read_bytes())

    def test_other_compressors_and_what_is_behind_the_end(self):
        self.reads(stored(self.whole))
        self.reads(stored(self.whole + b"more"))
        self.reads(self.compressed + b"more")

    def test_cut_off(self):
        for size in (4, 5, 6, 100, len(self.compressed) // 2, len(self.compressed) * 9 // 10):
            self.refuses(self.compressed[:size], "cut off")
        self.refuses(stored(self.whole[:-1]), "is cut off")
        self.refuses(stored(self.whole)[:-1000], "is cut off")

    def damage(self, place, first_bit):
        """Changes one bit that matters. A frame may say the same contents in other words, such as
        a copy of other zeros; then the checksum is right, and so must the answer be."""
        for number in range(8):
            bit = 1 << (first_bit + number) % 8
            contents = changed(self.compressed, place, "B", self.compressed[place] ^ bit)
            if self.answer(contents).returncode != 0:
                self.refuses(contents, "is broken")
                return
            self.reads(contents)
        self.fail(f"no bit of byte {place} matters")

    def test_damage(self):
        for number in range(60):
            self.damage(16 + number * (len(self.compressed) - 20) // 60, number % 8)

    def test_what_would_fill_the_memory(self):
        self.refuses(repeated(b"x", 1 << 14), " MiB when it is decompressed")
        self.refuses(stored(self.whole, window=0xf8), "is broken: it cannot be decompressed")

    def test_it_must_be_a_snapshot_or_a_core_file(self):
        for contents in (b"x" * 100, self.compressed, stored(self.whole)):
            self.refuses(stored(contents), "neither a core file nor a snapshot")


@unittest.skipIf(HAS_ZSTD, "ftm was built with libzstd")
class NotCompressed(OnTarget):
    def test_without_libzstd(self):
        self.refuses(stored(self.whole), "built without libzstd")
        path = self.process.folder / "plain"
        ftm("dump", "-o", path, self.process.pid)
        self.assertEqual(path.read_bytes()[:8], self.whole[:8])


if __name__ == "__main__":
    unittest.main()
