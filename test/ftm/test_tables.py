"""How ftm reads the tables of stacks and of live chunks: known figures, and broken ones."""
import os
import pathlib
import random
import struct
import subprocess
import tempfile
import unittest

import readers
from sections import TABLE, sections
import target

target.TARGET = os.environ["FT_TABLES_TARGET"]
SITES, CHUNKS = 300, 2000
VERSION = 12  # where it is in the header: src/debug/snapshot.h


def expected(i):
    """The figures of site i, as tables_target.c stores them."""
    return {"allocations": 10 + i, "allocated_bytes": (10 + i) * 100, "live": 10,
            "live_bytes": 1000, "peak_bytes": 1500 if i % 2 == 0 else 1000, "freed": i,
            "lifetime_ns": i * 1000000, "temporary": i // 2, "temporary_bytes": i // 2 * 100}


class Tables(unittest.TestCase):
    def test_every_site_and_frame(self):
        with target.running() as process:
            profile = target.ftm_json("profile", "--by", "stack", "-n", 0, process.pid)
        self.assertEqual(len(profile["rows"]), SITES)
        for row in profile["rows"]:
            stack = [int(frame["address"], 16) for frame in row["stack"]]
            i = stack[0] // 1000 - 1
            self.assertEqual(stack, [(i + 1) * 1000 + j for j in range(i % 30 + 1)])
            self.assertEqual(row["truncated"], i % 3 == 0)
            self.assertEqual({key: row[key] for key in expected(i)}, expected(i))

    def test_truncated_share(self):
        with target.running() as process:
            origin = target.ftm_json("profile", process.pid)["origin"]
        self.assertEqual(origin["interval_bytes"], 1)
        self.assertEqual(origin["pid"], process.pid)

    def test_live_chunks(self):
        with target.running() as process:
            threads = target.ftm_json("profile", "--by", "thread", process.pid)["rows"]
            sizes = target.ftm_json("profile", "--by", "size", process.pid)["rows"]
        self.assertEqual({row["key"]: row["chunks"] for row in threads},
                         {f"thread {t}": CHUNKS // 4 for t in range(1, 5)})
        self.assertEqual([(r["key"], r["chunks"], r["bytes"]) for r in sizes],
                         [("up to 128", CHUNKS, CHUNKS * 100)])

    def test_free_entries_are_not_in_snapshots(self):
        """The process still has the word: see leave_free_entry() in tables_target.c."""
        with target.running() as process, tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "snapshot"
            target.ftm("dump", "--uncompressed", process.pid, "-o", path)
            word = struct.pack("<Q", 0x7eed5a1e00000000 + process.pid)
            self.assertFalse(word in path.read_bytes(), "an entry that is free was written")
            profiles = [target.ftm_json("profile", "--by", "size", source)["rows"]
                        for source in (process.pid, path)]
        self.assertEqual(*profiles)

    def test_a_snapshot_tells_the_same(self):
        """It has the tables in columns, and neither hashes nor links."""
        questions = (("profile", "--by", "stack", "-n", "0"), ("profile", "--by", "thread"),
                     ("profile", "--by", "size"))
        with target.running() as process, tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "snapshot"
            target.ftm("dump", "--uncompressed", process.pid, "-o", path)
            contents = path.read_bytes()
            for question in questions:
                rows = [target.ftm_json(*question, source)["rows"]
                        for source in (process.pid, path)]
                self.assertEqual(*rows, question)
        self.assertEqual(struct.unpack_from("<H", contents, VERSION), (3,))
        tables = [part.place for part in sections(contents) if part.kind == TABLE]
        self.assertEqual(len(tables), 3)
        for place in tables:
            self.refuses_tables(contents, place)

    def refuses_tables(self, contents, place):
        """More items than the payload has; no fields; one behind the item; one of 3 bytes."""
        for at, form, value in ((16, "<Q", 1 << 60), (16, "<Q", 1 << 20), (4, "<I", 0),
                                (4, "<I", 33), (0, "<I", 2), (0, "<I", 0), (24, "<H", 4095),
                                (26, "<B", 3), (8, "<I", 1 << 30)):
            broken = bytearray(contents)
            struct.pack_into(form, broken, place + at, value)
            with tempfile.NamedTemporaryFile() as file:
                file.write(broken)
                file.flush()
                done = subprocess.run([target.FTM, "profile", file.name], capture_output=True,
                                      check=False, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (2, b""), (at, value))
            self.assertIn(b"is broken: a table in it cannot be read", done.stderr)

    def test_exports(self):
        with target.running() as process:
            pprof = target.ftm("export", "-f", "pprof", process.pid)
            folded = readers.read_folded(target.ftm("export", "-f", "folded", process.pid))
            dhat = readers.read_dhat(target.ftm("export", "-f", "dhat", process.pid))
        if readers.have_protoc():
            samples = readers.read_pprof(pprof)["samples"]
            self.assertEqual(sum(s["values"][3] for s in samples), SITES * 1000)
        self.assertEqual(sum(folded.values()), SITES * 1000)
        self.assertEqual(sum(stack.startswith("(truncated);") for stack in folded), SITES // 3)
        self.assertEqual(len(dhat["pps"]), SITES)
        self.assertEqual(sum(pp["mb"] for pp in dhat["pps"]), SITES * 2000)


class Broken(unittest.TestCase):
    """A broken table must give an answer or a line, and never a crash or an endless loop."""

    COMMANDS = (("profile", "--by", "stack", "-n", "0"), ("profile", "--json"),
                ("profile", "--by", "thread"), ("export", "-f", "pprof"),
                ("export", "-f", "folded"), ("export", "-f", "dhat"), ("top", "--json"))

    def check(self, source, seed, lines=1):
        command = self.COMMANDS[seed % len(self.COMMANDS)]
        if command[0] == "top" and not str(source).isdigit():
            command = ("diff", source)
        done = subprocess.run([target.FTM, *command, str(source)], capture_output=True,
                              timeout=60, check=False)
        self.assertIn(done.returncode, (0, 2), (seed, command, done.stderr))
        self.assertLessEqual(done.stderr.count(b"\n"), lines, done.stderr)
        if done.returncode == 2:
            self.assertTrue(done.stderr.startswith(b"ftm: "), done.stderr)
        elif command[1:] == ("-f", "dhat"):
            readers.read_dhat(done.stdout)
        elif command[1:] == ("-f", "folded"):
            readers.read_folded(done.stdout)
        elif command[1:] == ("-f", "pprof") and readers.have_protoc():
            readers.read_pprof(done.stdout)

    def test_broken_words(self):
        answered = 0
        for seed in range(70):
            with target.running() as process:
                process.tell(f"break {seed} {1 << seed % 10}")
                self.check(process.pid, seed)
                answered += 1
        self.assertEqual(answered, 70)

    def test_broken_snapshots(self):
        with tempfile.TemporaryDirectory() as folder:
            whole = pathlib.Path(folder) / "whole"
            broken = pathlib.Path(folder) / "broken"
            with target.running() as process:
                target.ftm("dump", "--uncompressed", process.pid, "-o", whole)
            data = whole.read_bytes()
            self.assertIn(b"tables_target", data)
            for seed in range(70):
                pick = random.Random(seed)
                changed = bytearray(data)
                for _ in range(1 << seed % 11):
                    # The tables and the texts are a small part: look for words that are not 0.
                    place = pick.randrange(len(data) - 8)
                    place = next((p for p in range(place, len(data) - 8) if data[p]), place)
                    changed[place:place + pick.choice((1, 1, 8))] = pick.choice(
                        (b"\0", b"\xff", b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"\t", b"\n"))
                if seed % 10 == 9:
                    del changed[pick.randrange(len(changed)):]
                broken.write_bytes(changed)
                self.check(broken, seed, lines=3)


if __name__ == "__main__":
    unittest.main()
