"""Checks tables, CSV, document and plan with made-up results."""

import csv
import os
import tempfile
import unittest

import support
import csvout
import document
import gnuplot
import plots
import report
import results as storage
import scaling
import tables
from plan import Plan, Shape


class Tables(unittest.TestCase):
    def setUp(self):
        self.results = support.made_up_results()

    def test_every_row_is_as_long_as_its_head(self):
        makers = (
            report.time_tables,
            report.median_tables,
            report.memory_tables,
            report.processor_tables,
            report.count_tables,
            report.extra_tables,
            report.behind_tables,
            report.summary_tables,
            scaling.tables,
        )
        for maker in makers:
            made = list(maker(self.results))
            self.assertTrue(made, maker.__name__)
            for table in made:
                for row in table.rows + table.feet:
                    self.assertEqual(len(row), len(table.heads), table.title)

    def test_comparison_names_the_winner(self):
        first = next(report.time_tables(self.results))
        self.assertEqual(
            first.rows[0],
            ["one", "1.00", "4.00", "2.00", "0.25", "0.50", "0.50", "mimalloc", "ft_malloc"],
        )
        self.assertEqual(first.rows[1][3], tables.MISSING)

    def test_only_ours(self):
        self.results.allocators = self.results.allocators[:1]
        self.assertEqual(next(report.time_tables(self.results)).rows[0], ["one", "1.00"])
        self.assertTrue(list(report.summary_tables(self.results)))

    def test_only_peers(self):
        self.results.allocators = self.results.allocators[1:]
        self.assertEqual(next(report.time_tables(self.results)).rows[0], ["one", "4.00", "2.00"])
        self.assertTrue(list(report.behind_tables(self.results)))

    def test_scaling_has_main_cases_too(self):
        time, memory = scaling.tables(self.results)
        self.assertEqual([row[0] for row in time.rows], ["10", "1,000"])
        self.assertEqual(memory.rows[0][1:], ["1.50"] * 3)

    def test_numbers(self):
        for value, text in (
            (None, "-"),
            (0, "0"),
            (0.05, "0.050"),
            (5.723, "5.72"),
            (57.23, "57.2"),
            (5723, "5723"),
        ):
            self.assertEqual(tables.number(value), text)

    def test_text_and_markdown(self):
        table = tables.Table("title", ["case", "a", "winner"], [["x", "1", "a"]])
        self.assertIn("x     1       a", tables.as_text(table))
        self.assertIn("| x | **1** | a |", tables.as_markdown(table))


class Files(unittest.TestCase):
    def setUp(self):
        self.results = support.made_up_results()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def test_csv(self):
        csvout.write_all(self.results, self.path("raw.csv"), self.path("summary.csv"))
        with open(self.path("raw.csv"), encoding="utf-8", newline="") as file:
            raw = list(csv.DictReader(file))
        with open(self.path("summary.csv"), encoding="utf-8", newline="") as file:
            summary = {(row["case"], row["allocator"]): row for row in csv.DictReader(file)}
        # Two rounds of 4 cases under 3 allocators, less the one that failed.
        self.assertEqual(len(raw), 2 * 11)
        self.assertEqual(len(summary), 12)
        self.assertEqual(summary["one", "glibc"]["min_time"], "4.000")
        self.assertEqual(summary["one", "glibc"]["median_peak_rss_kib"], "1000")
        self.assertIn("crashed", summary["two", "mimalloc"]["failure"])

    def test_saved_results_give_the_same_report(self):
        storage.save(self.results, self.path("results.json"))
        loaded = storage.load(self.path("results.json"))
        self.assertEqual(loaded, self.results)

    def test_the_record_of_a_run_gives_the_same_document(self):
        storage.save_record(self.results, self.path("record.json"))
        loaded = storage.load(self.path("record.json"))
        self.assertEqual(loaded.samples, {})
        drawn = ["scatter.svg", "time-single.svg", "scaling-live.svg"]
        texts = [document.document(one, drawn, "") for one in (self.results, loaded)]
        self.assertEqual(*texts)
        self.assertIn("crashed", texts[0])

    def test_the_committed_document_is_that_of_its_record(self):
        folder = os.path.join(support.ROOT, "docs", "bench")
        results = storage.load(os.path.join(folder, "results.json"))
        with open(os.path.join(support.ROOT, "docs", "BENCHMARKS.md"), encoding="utf-8") as file:
            committed = file.read()
        written = document.document(
            results, plots.existing(folder), os.path.join(folder, "notes.md")
        )
        self.assertTrue(written == committed, "run bench/run --rewrite-docs")
        prose = [line for line in committed.splitlines() if not line.startswith(("|", "!", "#"))]
        self.assertLessEqual(max(map(len, prose)), 100)

    def test_document_opens_with_the_plots_and_what_they_say(self):
        text = document.document(self.results, ["scatter.svg", "scaling-live.svg"], "")
        places = [
            text.index(part)
            for part in (
                "## Time against memory",
                "bench/scatter.svg",
                "ft_malloc takes 0.50 × the time and 1.00 × the memory of glibc",
                "bench/scaling-live.svg",
                "1.00 ns at 10 and 2.00 ns at 1,000 (live chunks)",
                "## Machine and versions",
                "## Summary",
            )
        ]
        self.assertEqual(places, sorted(places))

    def test_bars_say_where_ours_is_behind(self):
        text = document.document(self.results, ["time-single.svg", "time-whole.svg"], "")
        text = " ".join(text.split())
        self.assertIn("ft_malloc is the best in 1 of 2 cases", text)
        self.assertIn("furthest behind in two: 1.50 × glibc", text)
        self.assertIn("best in none of 1 cases", text)

    def test_document(self):
        with open(self.path("notes.md"), "w", encoding="utf-8") as file:
            file.write("## By hand [link](../OTHER.md)\n")
        text = document.document(self.results, ["scatter.svg"], self.path("notes.md"))
        for part in (
            "## By hand [link](OTHER.md)",
            "commit abc",
            "bench/scatter.svg",
            "two under mimalloc: exit status 139",
        ):
            self.assertIn(part, text)
        self.assertNotIn("time-single.svg", text)

    def test_scripts_of_the_plots(self):
        scripts = [
            *plots.bar_plots(self.results),
            *plots.scatter_plot(self.results),
            *plots.scaling_plots(self.results),
        ]
        names = [name for name, _ in scripts]
        self.assertEqual(
            names,
            [
                "time-single",
                "memory-single",
                "time-whole",
                "memory-whole",
                "scatter",
                "scaling-live",
            ],
        )

    def test_tics(self):
        numbers = (1, 256, 1000, 1024, 1025, 1536, 10_000_000, 4194305)
        texts = ["1", "256", "1k", "1Ki", "1Ki", "1.5Ki", "10M", "4Mi"]
        self.assertEqual([gnuplot.short_number(number) for number in numbers], texts)
        self.assertEqual(gnuplot.thinned([1, 1000, 1001, 10**6]), [1, 1000, 10**6])
        self.assertEqual(gnuplot.log_tics(0.9, 25), [1, 2, 5, 10, 20])


class Plans(unittest.TestCase):
    def setUp(self):
        micro, _, far, script = support.made_up_results().cases
        self.plan = Plan(
            Shape(allocators=2, rounds=7, scaling_rounds=2, reps=5, ms=60),
            {micro: 0.4, far: 4.0, script: 1.0},
            counted=[],
        )

    def test_total(self):
        self.assertAlmostEqual(self.plan.total(), 2 * (7 * 0.4 + 2 * 4.0 + 7 * 1.0))

    def test_a_budget_shortens_the_programs_that_calibrate_themselves_only(self):
        before = self.plan.total()
        self.plan.fit(before - 1)
        self.assertLess(self.plan.ms, 60)
        self.assertLessEqual(self.plan.total(), before - 1)
        self.assertEqual(self.plan.scaling_rounds, 2)

    def test_then_scaling_has_one_round_and_the_main_cases_keep_theirs(self):
        self.plan.fit(0)
        self.assertEqual(self.plan.scaling_rounds, 1)
        self.assertGreater(self.plan.total(), 2 * (4.0 + 7 * 1.0))

    def test_what_is_fixed_stays(self):
        self.plan.fit(0, fixed={"ms", "scaling_rounds"})
        self.assertEqual((self.plan.ms, self.plan.scaling_rounds), (60, 2))

    def test_a_wide_budget_changes_nothing(self):
        self.plan.fit(1000)
        self.assertEqual(self.plan.ms, 60)


if __name__ == "__main__":
    unittest.main()
