# SPDX-License-Identifier: MIT
"""compare.py: a slow-down is found, noise is none, and every doubt is told."""
import unittest

from bench.suite import compare
from bench.suite.rows import Row, Rows
from bench.suite.store import Run

from . import synthetic


def verdicts(old, new):
    return {item.row.case: item.verdict for item in compare.differences(old, new)}


class Verdicts(unittest.TestCase):
    def test_a_run_against_itself(self):
        for run in (synthetic.run(1), synthetic.recorded()):
            lines, worse = compare.compare(run, run)
            self.assertFalse(worse, lines)
            self.assertIn("0 worse, 0 better", lines[-1])

    def test_two_runs_of_the_same_machine(self):
        for seed in range(10):
            lines, worse = compare.compare(synthetic.run(seed), synthetic.run(seed + 100))
            self.assertFalse(worse, lines)

    def test_a_slow_down_of_a_fifth(self):
        for case in ("scope", "counter", "demo"):
            old = synthetic.run(1)
            lines, worse = compare.compare(old, synthetic.slower(synthetic.run(2), case, 1.2))
            self.assertTrue(worse, (case, lines))

    def test_only_the_slower_case_is_worse(self):
        found = verdicts(synthetic.run(1), synthetic.slower(synthetic.run(2), "scope", 1.2))
        self.assertEqual([case for case, verdict in found.items() if verdict == "WORSE"], ["scope"])

    def test_faster_is_better(self):
        lines, worse = compare.compare(synthetic.run(1), synthetic.slower(synthetic.run(2), "scope", 0.7))
        self.assertFalse(worse)
        self.assertIn("1 better", lines[-1])

    def test_a_lower_rate_is_worse(self):
        self.assertEqual(verdicts(synthetic.run(1), synthetic.slower(synthetic.run(2), "highest_rate", 0.7))["highest_rate"], "WORSE")
        self.assertEqual(verdicts(synthetic.run(1), synthetic.slower(synthetic.run(2), "highest_rate", 1.3))["highest_rate"], "better")

    def test_instructions_are_exact(self):
        self.assertEqual(verdicts(synthetic.run(1), synthetic.run(1, instructions=230))["scope_instructions"], "WORSE")
        self.assertEqual(verdicts(synthetic.run(1), synthetic.run(1, instructions=213))["scope_instructions"], "same")

    def test_what_others_took_is_noise_but_not_in_instructions(self):
        for busy in (0, 1):
            runs = [synthetic.run(1), synthetic.slower(synthetic.run(2, instructions=230), "scope", 1.3)]
            runs[busy].taken = {"emit": 1.6}  # of two cores
            found = verdicts(*runs)
            self.assertEqual((found["scope"], found["scope_instructions"]), ("same", "WORSE"))
            self.assertTrue(any("others took 80% of the machine in emit" in line for line in compare.compare(*runs)[0]))

    def test_a_single_figure_is_not_judged(self):
        self.assertEqual(verdicts(synthetic.run(1), synthetic.slower(synthetic.run(1), "single", 9))["single"], "not judged")

    def test_where_code_lies_is_no_regression(self):
        old, new = synthetic.run(1, counter=0.30), synthetic.run(2, counter=0.36)
        self.assertEqual(verdicts(old, new)["counter"], "same")

    def test_a_greedy_collector_is_not_judged(self):
        def run(value):
            return Run("2026-11-22T01:00:00", False, dict(synthetic.MACHINE), Rows(
                [Row("emit", "scope", "ns", samples=[value + i % 7 / 10 for i in range(40)], labels={"collector": which})
                 for which in ("lazy", "greedy")]))
        found = {item.row.labels["collector"]: item.verdict for item in compare.differences(run(20), run(60))}
        self.assertEqual(found, {"lazy": "WORSE", "greedy": "not judged"})

    def test_the_floor_is_the_machine_s(self):
        found = verdicts(synthetic.run(1), synthetic.slower(synthetic.run(2), "floor", 1.3))
        self.assertEqual(found["floor"], "not judged")

    def test_a_slower_machine_is_no_regression(self):
        old, new = synthetic.run(1), synthetic.run(1)
        for row in new.rows.all:
            if row.unit == "ns":
                row.samples = [1.5 * value for value in row.samples]
        found = verdicts(old, new)
        self.assertEqual((found["scope"], found["counter"]), ("same", "same"))

    def test_wall_time_is_compared_with_that_without_telemetry(self):
        def run(pace, overhead):
            base = [pace * (1 + i % 3 / 1000) for i in range(16)]
            return Run("2026-11-22T01:00:00", False, dict(synthetic.MACHINE), Rows(
                [Row("app", "demo_wall_compiled_out", "s", samples=base),
                 Row("app", "demo_wall_on", "s", samples=[overhead * value for value in base], floor="demo_wall_compiled_out")]))
        self.assertEqual(verdicts(run(1, 1.01), run(1.5, 1.01))["demo_wall_on"], "same")
        self.assertEqual(verdicts(run(1, 1.01), run(1, 1.2))["demo_wall_on"], "WORSE")


class Doubts(unittest.TestCase):
    def test_another_machine(self):
        old, new = synthetic.run(1), synthetic.run(2)
        new.machine["cpu"] = "another CPU"
        self.assertTrue(any("another CPU: Some Make 9 then" in line for line in compare.compare(old, new)[0]))

    def test_what_is_missing_now(self):
        old, new = synthetic.run(1), synthetic.run(2)
        new.rows.all = [row for row in new.rows.all if row.case != "counter"]
        self.assertTrue(any("Measured then, not now: 1: counter" in line for line in compare.compare(old, new)[0]))

    def test_a_part_that_did_not_run_is_not_missing(self):
        old, new = synthetic.run(1), synthetic.run(2)
        new.rows.all = [row for row in new.rows.all if row.part != "app"]
        self.assertFalse(any("not now" in line for line in compare.compare(old, new)[0]))

    def test_nothing_in_common(self):
        other = Run("2026-11-22T01:00:00", False, {}, Rows([Row("x", "y", "ns", samples=[1.0])]))
        lines, failed = compare.compare(synthetic.run(1), other)
        self.assertTrue(failed)
        self.assertIn("The two runs have no measurement in common.", lines)


if __name__ == "__main__":
    unittest.main()
