"""The documents for users: options, commands, and examples are what the sources make of them."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import documents
from documents import ROOT, read

BUILD = pathlib.Path(os.environ["FT_DOCS_BUILD"])
COMPILER = os.environ.get("CC", "cc")


def users_documents():
    """All Markdown files but the one that is written by a program."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "bench/README.md"]
    return [path for path in found if path.name != "BENCHMARKS.md"]


def messages_with(variable, value):
    """What the library writes to stderr in a process that has this option."""
    environment = {**os.environ, "LD_PRELOAD": str(BUILD / "libft_malloc.so"), variable: value}
    done = subprocess.run(["/bin/true"], env=environment, capture_output=True, check=False)
    return done.stderr.decode()


class Options(unittest.TestCase):
    def test_the_table_has_what_the_source_has(self):
        found = documents.document_options(read("docs/OPTIONS.md"))
        self.assertGreater(len(found), 4)
        self.assertEqual(list(documents.differences(documents.source_options(), found)), [])

    def test_the_manual_page_has_what_the_source_has(self):
        found = documents.manual_options(read("docs/man/ft_malloc.7"))
        self.assertEqual(list(documents.differences(documents.source_options(), found)), [])

    def test_each_option_has_a_section(self):
        text = read("docs/OPTIONS.md")
        for name in documents.source_options():
            self.assertIn(f"\n## {name}\n", text)

    def test_the_library_takes_the_values_and_no_others(self):
        for name, expected in documents.document_options(read("docs/OPTIONS.md")).items():
            for value in documents.values_of(expected):
                self.assertNotIn("ignored", messages_with(name, value), f"{name}={value}")
            wrong = messages_with(name, "nonsense")
            self.assertIn(f"{name}=nonsense ignored: expected {expected}\n", wrong)

    def test_a_difference_is_found(self):
        wanted = documents.source_options()
        changed = {**wanted, "FT_MALLOC_STATS": "0, 1 or 2"}
        fewer = {name: values for name, values in wanted.items() if name != "FT_MALLOC_STATS"}
        for one, other in ((wanted, changed), (wanted, fewer), (fewer, wanted)):
            self.assertEqual(len(list(documents.differences(one, other))), 1)


class Commands(unittest.TestCase):
    def test_commands_and_presets_exist(self):
        presets = [preset["name"] for preset in
                   json.loads(read("CMakePresets.json"))["configurePresets"]]
        commands = documents.ft_commands()
        self.assertLess({"build", "test", "run", "help"}, commands)
        for path in users_documents():
            text = path.read_text(encoding="utf-8")
            unknown = list(documents.unknown_commands(text, commands, presets))
            self.assertEqual(unknown, [], path)

    def test_paths_exist(self):
        for path in users_documents():
            missing = list(documents.missing_paths(path.read_text(encoding="utf-8")))
            self.assertEqual(missing, [], path)

    def test_what_is_missing_is_found(self):
        text = "Run ./ft nothing, or cmake --preset nothing; see `tools/nothing`."
        self.assertEqual(len(list(documents.unknown_commands(text, {"build"}, ["debug"]))), 2)
        self.assertEqual(list(documents.missing_paths(text)), ["tools/nothing"])


class QuickStart(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "build").symlink_to(BUILD)
        (self.folder / "include").symlink_to(ROOT / "include")

    def run_command(self, command):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("FT_MALLOC_")}
        script = f'cc() {{ command {COMPILER} "$@"; }}\n{command}\n:'
        done = subprocess.run(["bash", "-c", script],
                              cwd=self.folder, env=environment, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.splitlines()

    def test_the_commands_print_what_the_document_shows(self):
        files, commands = documents.transcript(read("docs/START.md"))
        self.assertGreater(len(files), 2)
        self.assertGreater(len(commands), 6)
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        for command, wanted in commands:
            found = self.run_command(command)
            self.assertTrue(documents.same_output(wanted, found), f"{command}\n{wanted}\n{found}")

    def test_another_output_is_refused(self):
        self.assertTrue(documents.same_output(["free of 0x10 (TINY)"], ["free of 0x7f00 (TINY)"]))
        self.assertFalse(documents.same_output(["free of 0x10 (TINY)"], ["free of 0x10 (SMALL)"]))
        self.assertFalse(documents.same_output([], ["a line more"]))
        self.assertTrue(documents.same_output(["stats: malloc 4 ..."], ["stats: malloc 4 free 4"]))
        self.assertFalse(documents.same_output(["stats: malloc 4 ..."], ["stats: malloc 5 free 4"]))

    def test_the_readme_shows_the_same_program(self):
        self.assertIn("LD_PRELOAD=$PWD/build/libft_malloc.so", read("README.md"))
        self.assertIn("LD_PRELOAD=$PWD/build/libft_malloc.so", read("docs/START.md"))


class Plot(unittest.TestCase):
    def test_the_plot_is_what_the_data_give(self):
        subprocess.run([ROOT / "tools/draw_peers", "--check"], check=True)

    def test_the_readme_has_the_figures_of_the_data(self):
        text = read("README.md")
        rows = [line.split(",") for line in read("docs/bench/peers.csv").splitlines()[1:]
                if not line.startswith(("#", "set,"))]
        self.assertGreater(len(rows), 9)
        for _, name, time, memory, _ in rows:
            if "rpmalloc" not in name and name != "glibc":
                self.assertIn(time.lstrip("0"), text, name)
                self.assertIn(memory, text, name)

    def test_the_readme_has_the_means_of_the_benchmarks(self):
        means = r"(\d+) cases,.*?ft_malloc takes ([\d.]+) × the time and ([\d.]+) × the memory"
        found = [re.search(means, " ".join(read(path).split())) for path in
                 ("README.md", "docs/BENCHMARKS.md")]
        self.assertEqual(found[0].groups(), found[1].groups())


if __name__ == "__main__":
    unittest.main()
