"""What ftm exports, from tables of sites that are made by hand, read by strict readers."""
import os
import pathlib
import subprocess
import tempfile
import unittest

import readers

CASE = os.environ["FT_SITES_CASE"]
CASES = ("plain", "odd", "empty", "deep", "hostile")


def export(form, case):
    done = subprocess.run([CASE, form, case], capture_output=True, check=False)
    assert done.returncode == 0, (form, case, done.stderr)
    return done.stdout


@unittest.skipUnless(readers.have_protoc(), "protoc is not installed")
class Pprof(unittest.TestCase):
    def test_reads_all(self):
        for case in CASES:
            with self.subTest(case):
                profile = readers.read_pprof(export("pprof", case))
                self.assertEqual(profile["types"], readers.SAMPLE_TYPES)
                self.assertEqual(profile["default"], "inuse_space")
                self.assertGreaterEqual(profile["period"], 1)

    def test_values_add_up(self):
        samples = readers.read_pprof(export("pprof", "plain"))["samples"]
        sums = [sum(s["values"][i] for s in samples) for i in range(4)]
        self.assertEqual(sums, [14, 1216, 3, 152])

    def test_live_chunks_have_labels(self):
        samples = readers.read_pprof(export("pprof", "plain"))["samples"]
        labelled = [s for s in samples if "thread" in s["labels"]]
        self.assertEqual([s["values"] for s in labelled], [[0, 0, 1, 64]])
        self.assertEqual(labelled[0]["labels"], {"bytes": 64, "thread": "42"})

    def test_inlined_functions_and_lines(self):
        samples = readers.read_pprof(export("pprof", "plain"))["samples"]
        stacks = [[place["lines"] for place in s["stack"]] for s in samples]
        self.assertIn([[("make_x", "/src/demo.c", 5)], [("main", "/src/demo.c", 12)]], stacks)
        inlined = [[("inner", "/src/demo.h", 7), ("outer", "/src/demo.c", 9)],
                   [("main", "/src/demo.c", 12)]]
        # The stack with the allocator's frame has become the same.
        self.assertEqual(stacks.count(inlined), 2)
        self.assertEqual(samples[0]["stack"][0]["address"], 0x1000)

    def test_odd_names_stay_text(self):
        strings = readers.read_pprof(export("pprof", "odd"))["strings"]
        self.assertIn("semi;colon\nline \\ 33", strings)
        self.assertIn('#"quoted" <??> \u00e9 ??? 44', strings)


class Folded(unittest.TestCase):
    def test_reads_all(self):
        for case in CASES:
            for form in ("folded", "folded-count"):
                with self.subTest((case, form)):
                    readers.read_folded(export(form, case))

    def test_values(self):
        self.assertEqual(readers.read_folded(export("folded", "plain")),
                         {"main;make_x": 128, "main;outer;inner": 24})
        self.assertEqual(readers.read_folded(export("folded-count", "plain")),
                         {"main;make_x": 2, "main;outer;inner": 1})

    def test_odd_names(self):
        stacks = readers.read_folded(export("folded", "odd"))
        self.assertIn('_"quoted" <??> \u00e9 ???_44;semi:colon?line \\_33', stacks)
        self.assertIn("semi:colon?line \\_33;[no name.so]", stacks)
        self.assertEqual(sum(stacks.values()), 10 + 11 + 12 + 13 + 14 + 5)

    def test_deep_stack_is_whole(self):
        (stack,) = readers.read_folded(export("folded", "deep"))
        self.assertEqual(len(stack.split(";")), 5000)


class Dhat(unittest.TestCase):
    def test_reads_all(self):
        for case in CASES:
            with self.subTest(case):
                readers.read_dhat(export("dhat", case))

    def test_values(self):
        dhat = readers.read_dhat(export("dhat", "plain"))
        self.assertEqual((dhat["te"], dhat["tg"]), (20000, 10000))
        # The lifetime of what is live counts up to the end: 7 ms and 11 ms.
        self.assertEqual(dhat["pps"][0], {
            "tb": 192, "tbk": 3, "tl": 18000, "mb": 128, "mbk": 2, "gb": 128, "gbk": 2,
            "eb": 128, "ebk": 2, "fs": [1, 2]})
        self.assertEqual(dhat["ftbl"][1:3], ["0x1000: make_x (demo.c:5)",
                                             "0x2000: main (demo.c:12)"])

    def test_same_stacks_are_one(self):
        dhat = readers.read_dhat(export("dhat", "plain"))
        self.assertEqual([pp["tb"] for pp in dhat["pps"]], [192, 1024])

    @unittest.skipUnless(readers.dhat_viewer(), "node or valgrind's dh_view.js is not installed")
    def test_viewer_loads_all(self):
        with tempfile.TemporaryDirectory() as folder:
            for case in CASES:
                with self.subTest(case):
                    totals = readers.view_dhat(export("dhat", case), folder)
                    self.assertGreater(totals["shown"], 0)
            totals = readers.view_dhat(export("dhat", "plain"), folder)
        self.assertEqual((totals["bytes"], totals["blocks"], totals["end"]), (1216, 14, 152))

    @unittest.skipUnless(readers.dhat_viewer(), "node or valgrind's dh_view.js is not installed")
    def test_viewer_refuses_a_repeated_stack(self):
        data = export("dhat", "plain").replace(b'"fs":[3,4,2]', b'"fs":[1,2]')
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(readers.Bad, "repeated location"):
                readers.view_dhat(data, folder)


class Places(unittest.TestCase):
    def test_what_says_nothing_is_passed_over(self):
        self.assertEqual(export("places", "places").decode().splitlines(), [
            "std::map<int, int> shop::open<std::less<int> >(std::less<int>)",
            "(anonymous namespace)::real(int)",
            "stdlib_wrapper",
            # If there is nothing else, the innermost frame that is not the allocator's.
            "void std::vector<a (*)(b)>::grow<int const&>(int const&)"])


class Readers(unittest.TestCase):
    """The readers themselves refuse what they should."""

    def test_refuse_folded(self):
        for bad in (b"a;b\n", b"a;b 3 4\n", b"a;b 0\n", b"a;;b 1\n", b"a 1\na 1\n", b"a 1"):
            with self.subTest(bad), self.assertRaises(readers.Bad):
                readers.read_folded(bad)

    @unittest.skipUnless(readers.have_protoc(), "protoc is not installed")
    def test_refuse_pprof(self):
        good = export("pprof", "plain")
        for bad in (good[:-1], good + b"\x80\x01\x05", good.replace(b"2\x00", b"2\x01x", 1)):
            with self.assertRaises(readers.Bad):
                readers.read_pprof(bad)


if __name__ == "__main__":
    unittest.main()
