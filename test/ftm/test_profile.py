"""ftm profile, diff and export, on a process that records every call."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import readers
import target

SOURCE = pathlib.Path(__file__).resolve().parent / "profile_target.cc"
BIG = next(number for number, line in enumerate(SOURCE.read_text().splitlines(), 1)
           if line.endswith("// BIG"))
RECORD = {"FT_MALLOC_RECORD": "1"}
NODE = 48


def function(row):
    return row["key"].split(" (")[0]


def rows_of(profile):
    """Returns the rows by the function that they name."""
    return {function(row): row for row in profile["rows"]}


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.running = target.running(**RECORD)
        cls.target = cls.running.__enter__()
        cls.pid = cls.target.pid

    @classmethod
    def tearDownClass(cls):
        cls.running.__exit__(None, None, None)

    def profile(self, *options):
        return target.ftm_json("profile", "-n", 0, *options, self.pid)

    def test_live_by_site_is_exact(self):
        rows = rows_of(self.profile())
        self.assertEqual((rows["make_list"]["chunks"], rows["make_list"]["bytes"]),
                         (23000, 23000 * NODE))
        big = rows["inner_big"]
        self.assertEqual((big["chunks"], big["bytes"]), (1, 8 << 20))
        self.assertEqual(big["key"], f"inner_big ({SOURCE.name}:{BIG})")
        self.assertEqual(rows["churn"]["chunks"], 0)

    def test_shares_add_up(self):
        profile = self.profile()
        self.assertAlmostEqual(sum(row["percent"] for row in profile["rows"]), 100, delta=0.1)
        self.assertEqual(sum(row["bytes"] for row in profile["rows"]), profile["total"]["bytes"])

    def test_allocated_and_lifetimes(self):
        rows = rows_of(self.profile("--allocated"))
        self.assertEqual((rows["churn"]["chunks"], rows["churn"]["bytes"]), (5000, 5000 * 1000))
        self.assertEqual(rows["churn"]["freed"], 5000)
        self.assertEqual(rows["inner_big"]["chunks"], 2)
        self.assertEqual(rows["make_list"]["freed"], 0)

    def test_temporary(self):
        rows = rows_of(self.profile("--temporary"))
        self.assertEqual(rows["churn"]["chunks"], 5000)
        self.assertEqual((rows["inner_big"]["chunks"], rows["inner_big"]["bytes"]), (1, 8 << 20))
        self.assertEqual(rows["make_list"]["chunks"], 0)

    def test_peak(self):
        rows = rows_of(self.profile("--peak"))
        self.assertEqual(rows["inner_big"]["bytes"], 16 << 20)
        self.assertEqual(rows["make_list"]["chunks"], 20000)

    def test_by_stack(self):
        profile = self.profile("--by", "stack")
        big = [row for row in profile["rows"] if row["bytes"] >= 8 << 20]
        self.assertEqual(len(big), 1)
        names = [frame["function"] for frame in big[0]["stack"]]
        self.assertEqual(names[:3], ["inner_big", "make_big", "main"])
        self.assertEqual([frame["inlined"] for frame in big[0]["stack"][:3]],
                         [True, False, False])
        lists = [row for row in profile["rows"] if function(row) == "make_list"]
        self.assertEqual(sorted(row["chunks"] for row in lists), [3000, 20000])

    def test_by_library(self):
        rows = {row["key"]: row for row in self.profile("--by", "library")["rows"]}
        mine = rows[os.path.realpath(target.TARGET)]
        self.assertEqual(mine["chunks"], 23001)

    def test_by_thread(self):
        rows = {row["key"]: row for row in self.profile("--by", "thread")["rows"]}
        helper = [row for key, row in rows.items() if key != f"thread {self.pid}"]
        self.assertEqual([(row["chunks"], row["name"]) for row in helper], [(3000, "helper")])
        self.assertGreaterEqual(rows[f"thread {self.pid}"]["chunks"], 20001)

    def test_by_size(self):
        rows = {row["key"]: row for row in self.profile("--by", "size")["rows"]}
        self.assertEqual(rows[f"up to {8 << 20}"]["chunks"], 1)
        self.assertGreaterEqual(rows["up to 64"]["chunks"], 23000)

    def test_text_says_where_figures_come_from(self):
        text = target.ftm("profile", self.pid).decode()
        self.assertRegex(text, r"every call recorded for \d")
        self.assertRegex(text, r"[\d,]+ stacks taken, \d+\.\d % of them truncated")
        self.assertRegex(text, r"8\.0 MiB +\d+\.\d % +\d+\.\d % +1 +8\.0 MiB")

    def test_rows_and_depth(self):
        text = target.ftm("profile", "-n", 1, "--by", "stack", "--depth", 1, self.pid).decode()
        self.assertRegex(text, r"inner_big \(.*\)\n +\.\.\.\n +\S+ \S+ +\S+ %  in others")

    def test_wrong_usage(self):
        for options in (("--by", "colour"), ("--by", "thread", "--peak"), ("-n", "x"), ("--no",)):
            self.assertIn(b"--help", target.ftm("profile", *options, self.pid, status=2))
        self.assertIn(b"--help", target.ftm("profile", status=2))

    @unittest.skipUnless(readers.have_protoc(), "protoc is not installed")
    def test_pprof(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.pb.gz"
            target.ftm("export", "-f", "pprof", "-o", path, self.pid)
            profile = readers.read_pprof(path.read_bytes())
            self.assertEqual(path.read_bytes()[:2], b"\x1f\x8b")
        sums = [sum(s["values"][i] for s in profile["samples"]) for i in range(4)]
        total = self.profile()["total"]
        self.assertEqual(sums, [total["allocations"], total["allocated_bytes"], total["live"],
                                total["live_bytes"]])
        self.assertEqual(profile["mappings"][0]["path"], os.path.realpath(target.TARGET))
        self.assertTrue(profile["mappings"][0]["symbols"])
        self.assertRegex(profile["mappings"][0]["build_id"], r"^[0-9a-f]{8,}$")
        threads = {s["labels"]["thread"] for s in profile["samples"] if "thread" in s["labels"]}
        self.assertEqual(len(threads), 2)
        nodes = [s for s in profile["samples"] if s["labels"].get("bytes") == NODE]
        self.assertEqual(sum(s["values"][2] for s in nodes), 23000)

    def test_folded(self):
        stacks = readers.read_folded(target.ftm("export", "-f", "folded", self.pid))
        self.assertEqual(sum(stacks.values()), self.profile()["total"]["bytes"])
        self.assertTrue(any(re.search(r"main;make_big;inner_big$", s) for s in stacks))
        counts = readers.read_folded(target.ftm("export", "-f", "folded", "--count",
                                                "--allocated", self.pid))
        self.assertEqual(sum(n for s, n in counts.items() if s.endswith(";churn")), 5000)
        few = readers.read_folded(target.ftm("export", "-f", "folded", "--min-percent", 20,
                                             self.pid))
        self.assertEqual([s.rsplit(";", 1)[-1] for s in few], ["inner_big"])

    def test_dhat(self):
        data = target.ftm("export", "-f", "dhat", self.pid)
        dhat = readers.read_dhat(data)
        total = self.profile()["total"]
        self.assertEqual(sum(pp["tb"] for pp in dhat["pps"]), total["allocated_bytes"])
        self.assertEqual(sum(pp["eb"] for pp in dhat["pps"]), total["live_bytes"])
        self.assertGreaterEqual(dhat["te"], dhat["tg"])
        if readers.dhat_viewer():
            with tempfile.TemporaryDirectory() as folder:
                totals = readers.view_dhat(data, folder)
            self.assertEqual(totals["end"], total["live_bytes"])

    @unittest.skipUnless(shutil.which("gcore"), "gcore is not installed")
    def test_core_gives_the_same_answer(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["gcore", "-o", f"{folder}/core", str(self.pid)], check=True,
                           capture_output=True)
            core = target.ftm_json("profile", "-n", 0, f"{folder}/core.{self.pid}")
        live = self.profile()
        self.assertEqual(core["rows"], live["rows"])
        self.assertEqual(core["total"], live["total"])

    def test_snapshot_gives_the_same_answer_anywhere(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            program = folder / "moved"
            shutil.copy(target.TARGET, program)
            with target.running(program=program, **RECORD) as process:
                live = target.ftm_json("profile", "-n", 0, "--by", "stack", process.pid)
                target.ftm("dump", process.pid, "-o", folder / "snapshot")
            # As on a machine that does not have the program.
            program.unlink()
            there = target.ftm_json("profile", "-n", 0, "--by", "stack", folder / "snapshot")
            threads = target.ftm_json("profile", "--by", "thread", folder / "snapshot")
        self.assertEqual(there["rows"], live["rows"])
        self.assertEqual(there["total"], live["total"])
        self.assertIn(3000, [row["chunks"] for row in threads["rows"]])
        self.assertGreater(there["origin"]["duration_ns"], 0)

    def test_top_shows_sites(self):
        sites = {row["where"].split(" (")[0]: row
                 for row in target.ftm_json("top", "-r", 0, self.pid)["sites"]}
        self.assertEqual(sites["make_list"]["chunks"], 23000)
        threads = {t["name"]: t["chunks"]
                   for t in target.ftm_json("top", "-r", 0, self.pid)["threads"]}
        self.assertEqual(threads["helper"], 3000)


class Diff(unittest.TestCase):
    def test_two_processes(self):
        with target.running(**RECORD) as before, target.running(**RECORD) as after:
            after.tell("grow")
            diff = target.ftm_json("diff", before.pid, after.pid)
            text = target.ftm("diff", before.pid, after.pid).decode()
            back = target.ftm_json("diff", "--by", "stack", after.pid, before.pid)
        changed = [row for row in diff["rows"] if row["bytes"] != 0]
        self.assertEqual([(function(r), r["chunks"], r["bytes"]) for r in changed],
                         [("make_list", 10000, 10000 * NODE)])
        self.assertEqual(diff["after"]["bytes"] - diff["before"]["bytes"], 10000 * NODE)
        self.assertRegex(text, r"\+469 KiB +\+10,000 .* make_list \(profile_target\.cc:\d+\)")
        # The new stack is another line of main(): one that has vanished.
        self.assertEqual(sum(row["chunks"] for row in back["rows"]), -10000)

    def test_lifetimes(self):
        with target.running(**RECORD) as before, target.running(**RECORD) as after:
            after.tell("free")
            rows = rows_of(target.ftm_json("diff", "--allocated", "-n", 0, before.pid, after.pid))
        self.assertEqual(rows["make_list"]["before"]["freed"], 0)
        self.assertEqual(rows["make_list"]["after"]["freed"], 23000)
        self.assertEqual(rows["make_list"]["bytes"], 0)

    def test_nothing_changed(self):
        with target.running(**RECORD) as process:
            self.assertIn(b"nothing changed", target.ftm("diff", process.pid, process.pid))

    def test_wrong_usage(self):
        for arguments in ((), ("1",), ("1", "2", "3"), ("--by", "thread", "1", "2")):
            self.assertIn(b"--help", target.ftm("diff", *arguments, status=2))


class Without(unittest.TestCase):
    def test_no_profile_is_said(self):
        with target.running() as process:
            for command in (("profile",), ("export", "-f", "dhat")):
                errors = target.ftm(*command, process.pid, status=2).decode()
                self.assertRegex(errors, r"has no profile; .*FT_MALLOC_PROFILE")
                self.assertEqual(errors.count("\n"), 1)

    def test_export_wants_a_format_and_a_file(self):
        self.assertIn(b"-f", target.ftm("export", "1", status=2))
        self.assertIn(b"svg is no value", target.ftm("export", "-f", "svg", "1", status=2))
        with target.running(**RECORD) as process:
            errors = target.ftm("export", "-f", "dhat", "-o", "/nonexistent/x", process.pid,
                                status=2)
            self.assertIn(b"cannot write /nonexistent/x: No such file", errors)
            with open("/dev/full", "wb") as full:
                done = subprocess.run([target.FTM, "export", "-f", "dhat", str(process.pid)],
                                      stdout=full, stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, done.stderr),
                             (2, b"ftm: cannot write standard output: "
                                 b"No space left on device\n"))


if __name__ == "__main__":
    unittest.main()
