# SPDX-License-Identifier: MIT
"""statistics.py against what is known: quantiles, and how often an interval holds the true value. And noise.py: what is told of a floor."""
import random
import unittest

from bench.suite import noise, statistics
from bench.suite.rows import Row, Rows

from . import synthetic


class Quantiles(unittest.TestCase):
    def test_of_few(self):
        self.assertEqual(statistics.median([3, 1, 2]), 2)
        self.assertEqual(statistics.median([4, 1, 2, 3]), 2.5)
        self.assertEqual(statistics.quantile([7], 0.9), 7)

    def test_lower_decile(self):
        self.assertEqual(statistics.lower_decile(range(101)), 10)

    def test_nothing_over_nothing(self):
        self.assertEqual(statistics.over(0, 0), 1)
        self.assertEqual(statistics.over(1, 0), float("inf"))


class Intervals(unittest.TestCase):
    def coverage(self, samples_of, truth, statistic):
        held = 0
        for seed in range(60):
            found = statistics.estimate(samples_of(random.Random(seed)), statistic, 0.95)
            held += found.low <= truth <= found.high
        return held / 60

    def test_holds_the_median_of_independent_samples(self):
        share = self.coverage(lambda source: [source.gauss(100, 5) for _ in range(200)], 100, statistics.median)
        self.assertGreaterEqual(share, 0.85)

    def test_holds_the_median_when_neighbours_are_alike(self):
        def walk(source):
            samples, level = [], 0.0
            for _ in range(400):
                level = 0.9 * level + source.gauss(0, 1)
                samples.append(100 + level)
            return samples
        # 0.77; drawing single samples instead of blocks, it would be held in 0.40 of the cases
        self.assertGreaterEqual(self.coverage(walk, 100, statistics.median), 0.7)

    def test_is_the_range_of_few(self):
        found = statistics.estimate([3.0, 1.0, 2.0], statistics.median)
        self.assertEqual((found.value, found.low, found.high), (2.0, 1.0, 3.0))

    def test_is_the_same_every_time(self):
        samples = [random.Random(1).random() for _ in range(50)]
        self.assertEqual(statistics.estimate(samples, statistics.median), statistics.estimate(samples, statistics.median))

    def test_of_one_value_is_that_value(self):
        found = statistics.estimate([5.0] * 30, statistics.lower_decile)
        self.assertEqual((found.low, found.high), (5.0, 5.0))


class Pairs(unittest.TestCase):
    def test_what_shifts_both_changes_no_ratio(self):
        source = random.Random(3)
        pace = [1 + source.random() for _ in range(100)]
        found = statistics.ratio([2 * p for p in pace], pace, statistics.median)
        self.assertAlmostEqual(found.low, 2)
        self.assertAlmostEqual(found.high, 2)

    def test_difference_of_rounds(self):
        source = random.Random(4)
        base = [source.uniform(1, 3) for _ in range(20)]
        found = statistics.relative_difference([1.01 * value for value in base], base)
        self.assertAlmostEqual(found.value, 0.01)
        self.assertAlmostEqual(found.high, 0.01)

    def test_difference_of_rounds_that_were_lost(self):
        found = statistics.relative_difference([1.1] * 8, [1.0] * 10)
        self.assertAlmostEqual(found.value, 0.1)


class Noise(unittest.TestCase):
    def told(self, part, case, **labels):
        rows = Rows([Row(part, case, "ns", samples=[20.0] * 20, labels=labels), Row(part, case, "ns", samples=[20.0] * 15 + [30.0] * 5)])
        return list(noise.after(rows))

    def test_a_floor_that_varies_is_told_in_each_part(self):
        for part, case in (("emit", "floor_two_clock_reads"), ("peers", "two_clock_reads"), ("scale", "floor_threads")):
            found = self.told(part, case)
            self.assertEqual(len(found), 1, part)
            self.assertIn("1.50 times its lower decile", found[0])

    def test_the_floors_are_called_so(self):
        cases = {row.case for row in synthetic.recorded().rows.all}
        self.assertEqual(set(noise.FLOORS) - cases, set())

    def test_a_calm_floor_is_not_told(self):
        rows = Rows([Row("emit", "floor_two_clock_reads", "ns", samples=[20.0] * 50)])
        self.assertEqual(list(noise.after(rows)), [])


if __name__ == "__main__":
    unittest.main()
