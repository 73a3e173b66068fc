# SPDX-License-Identifier: MIT
"""Report, tables and plots of a recorded run: every part is there, and fits a terminal."""
import csv
import re
import shutil
import tempfile
import unittest
from pathlib import Path

from bench.suite import attempts, gnuplot, part_tables, plots, report, store, targets
from bench.suite.parts import NAMES
from bench.suite.rows import Row, Rows
from bench.suite.tables import Table, amount, share, signed

from . import synthetic

ROOT = Path(__file__).resolve().parents[2]
PLOTS = ["overhead", "cost", "distribution", "scale", "collector-cpu", "drain-policy", "loss"]


class Reports(unittest.TestCase):
    def setUp(self):
        self.run_ = synthetic.recorded()

    def test_the_terminal_has_80_columns(self):
        lines = report.terminal(self.run_)
        self.assertEqual([line for line in lines if len(line) > 80], [])
        for part in NAMES:
            self.assertTrue(any(line.startswith(f"== {part}:") for line in lines), part)

    def test_app_comes_first(self):
        text = report.markdown(self.run_, ROOT, plots.make_all(self.run_))
        self.assertEqual([line.split()[1].rstrip(":") for line in text.splitlines() if line.startswith("## ")][0], "app")
        for heading in ("## Targets", "## Method", "## Machine"):
            self.assertIn(heading, text)
        self.assertIn("Pinned", text)  # the method itself, from bench/README.md

    def test_every_part_has_rows(self):
        for part in NAMES:
            for heading, table in part_tables.of_part(self.run_.rows, part):
                self.assertTrue(table.rows, (part, heading))

    def test_without_gnuplot_the_report_says_so(self):
        self.assertIn("gnuplot is not installed", report.markdown(self.run_, ROOT, []))

    def test_an_interrupted_run_says_so(self):
        self.run_.interrupted = "peers"
        self.assertIn("Interrupted in peers", report.markdown(self.run_, ROOT, []))

    def test_what_was_skipped_is_told(self):
        self.run_.rows.add(Row("peers", "lttng_ust_event", skipped="liblttng-ust-dev is not installed"))
        self.assertTrue(any("liblttng-ust-dev is not installed" in line for line in report.terminal(self.run_)))

    def test_a_point_that_is_missing_is_named(self):
        run = store.Run("2026-11-22T22:00:00", False, {}, Rows([Row("app", "a", x=1e7, x_name="events_per_s", skipped="why")]))
        self.assertEqual(list(report.skipped(run, "app")), ["Skipped: a at events per s 10 M: why"])

    def test_empty_run(self):
        empty = store.Run("2026-11-22T22:00:00", False, {})
        self.assertIn("No target was measured.", report.terminal(empty))
        self.assertEqual(plots.make_all(empty), [])
        report.markdown(empty, ROOT, [])


class Targets(unittest.TestCase):
    def test_met_and_missed(self):
        met = {verdict.what: verdict.word for verdict in targets.verdicts(synthetic.recorded())}
        self.assertEqual(met["StatsD over UDP / a scope"], "met")
        self.assertEqual(met["instructions of a scope"], "MISSED")
        self.assertNotIn("not measured", met.values())

    def test_a_miss_never_stands_without_what_was_tried(self):
        verdicts = list(targets.verdicts(synthetic.recorded()))
        self.assertTrue(all(verdict.tried for verdict in verdicts))
        missed = [verdict for verdict in verdicts if verdict.word == "MISSED"]
        self.assertTrue(missed)
        text = report.markdown(synthetic.recorded(), ROOT, [])
        for verdict in missed:
            said = [line for line in text.splitlines() if line.startswith("- **") and verdict.what in line]
            self.assertEqual(len(said), 1, verdict.what)
            self.assertIn(verdict.tried, said[0])

    def test_what_was_tried_points_to_decisions_that_are_there(self):
        decisions = set(re.findall(r"^## (\d+)\.", (ROOT / "docs/decisions.md").read_text(), re.MULTILINE))
        for what, sentence in attempts.TRIED.items():
            for words in re.findall(r"decisions? ([\d, and]+\d|\d+)", sentence):
                self.assertLessEqual(set(re.findall(r"\d+", words)), decisions, what)

    def test_the_tail_is_judged_without_preemption(self):
        rows = Rows([Row("emit", "scope_over_1_us", "share", samples=[share_of], labels={"load": "paced", "cause": cause})
                     for cause, share_of in (("any", 3e-4), ("preempted", 2.5e-4))])
        verdict = next(verdict for verdict in targets.emit(rows) if verdict.what.startswith("scopes above 1 µs, steady"))
        self.assertEqual((verdict.word, verdict.figure), ("met", "50 ppm"))

    def test_one_worker_is_not_compared_with_itself(self):
        rows = Rows([Row("scale", "scope_threads", "cpu_ns", samples=[20.0] * 5, x=x, x_name="threads") for x in (1.0,)])
        self.assertEqual([verdict.word for verdict in targets.scale(rows, 2)], ["not measured", "not measured"])
        rows.add(Row("scale", "scope_threads", "cpu_ns", samples=[30.0] * 5, x=2.0, x_name="threads"))
        self.assertEqual([verdict.word for verdict in targets.scale(rows, 2)], ["MISSED", "not measured"])

    def test_without_rows_nothing_is_met(self):
        empty = store.Run("2026-11-22T22:00:00", False, {})
        self.assertEqual({verdict.word for verdict in targets.verdicts(empty)}, {"not measured"})


class Plots(unittest.TestCase):
    def test_a_rate_that_the_worker_did_not_reach_is_not_claimed(self):
        rows = Rows([Row("drain", "collector_cpu", "percent_core", samples=[10.0], x=5e6),
                     Row("drain", "collector_cpu_per_event", "cpu_ns", samples=[25.0], x=5e6)])
        title = plots.collector(rows).title
        self.assertIn("At 4.00 million events a second the collector takes 10.0 % of a core, 25.0 ns an event", title)

    def test_a_rate_that_its_curve_contradicts_is_not_claimed(self):
        def title(share):
            return plots.loss(Rows([Row("loss", "highest_rate", "events/s", samples=[4e6], x=1048576, labels={"reporter": "summary"}),
                                    Row("loss", "lost_share", "share", samples=[share], x=2e6,
                                        labels={"ring_bytes": "1048576", "reporter": "summary"})])).title
        self.assertIn("Nothing is lost up to 4.00 million", title(0))
        self.assertIn("too noisy", title(0.2))

    def test_each_states_a_finding(self):
        made = plots.make_all(synthetic.recorded())
        self.assertEqual([plot.name for plot in made], PLOTS)
        for plot in made:
            self.assertRegex(plot.title, r"\d")
            self.assertIn("Some Make 9, 2 cores", plot.footer)
            self.assertIn("2026-11-22", plot.footer)

    @unittest.skipUnless(gnuplot.available(), "gnuplot is not installed")
    def test_are_drawn(self):
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        drawn, complaint = plots.draw_all(synthetic.recorded(), directory)
        self.assertEqual((complaint, len(drawn)), ("", len(PLOTS)))
        for plot in drawn:
            self.assertTrue((directory / f"{plot.name}.svg").read_text().rstrip().endswith("</svg>"))
            self.assertEqual((directory / f"{plot.name}.png").read_bytes()[:4], b"\x89PNG")


class Store(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def test_comes_back_as_it_was(self):
        run = synthetic.recorded()
        store.save(run, self.directory / "results.json")
        again = store.load(self.directory / "results.json")
        self.assertEqual(again.rows.all, run.rows.all)
        self.assertEqual(again.machine, run.machine)

    def test_csv_has_every_row(self):
        run = synthetic.recorded()
        store.save_csv(run, self.directory)
        for part in NAMES:
            with open(self.directory / f"{part}.csv", newline="") as lines:
                self.assertEqual(len(list(csv.DictReader(lines))), len(run.rows.of(part)))

    def test_what_is_no_result_is_refused(self):
        path = self.directory / "results.json"
        for text in ("", "[]", "{}", '{"schema":1}'):
            path.write_text(text)
            self.assertRaises(store.StoreError, store.load, path)
        path.write_text('{"schema":99}')
        self.assertRaisesRegex(store.StoreError, "schema 99; this driver reads 1", store.load, path)


class Numbers(unittest.TestCase):
    def test_amounts(self):
        self.assertEqual([amount(value, "ns") for value in (0.28, 20.14, 123.4, 1234, 1.5e6, 2e9)],
                         ["0.28 ns", "20.1 ns", "123 ns", "1.23 µs", "1.50 ms", "2.00 s"])
        self.assertEqual([amount(0.0123, "s"), amount(2 ** 20, "bytes"), amount(5.1e6, "events/s")], ["12.3 ms", "1.00 MiB", "5.10 M/s"])
        self.assertEqual([share(0), share(1e-5), share(0.5)], ["0", "10 ppm", "50.0 %"])
        self.assertEqual([signed(0.0031), signed(-0.2), signed(2)], ["+0.31 %", "-20.0 %", "+200 %"])

    def test_tables_wrap_their_first_column(self):
        table = Table(["what", "value"])
        table.add("a name that is very long " * 5, "1")
        self.assertTrue(all(len(line) <= 80 for line in table.text()))

    def test_floor_is_that_of_the_same_rounds(self):
        rows = Rows([Row("emit", "floor", "ns", samples=[1.0], labels={"collector": name}) for name in ("none", "lazy")])
        row = Row("emit", "scope", "ns", samples=[2.0], floor="floor", labels={"collector": "lazy"})
        self.assertEqual(rows.floor_of(row).labels, {"collector": "lazy"})


if __name__ == "__main__":
    unittest.main()
