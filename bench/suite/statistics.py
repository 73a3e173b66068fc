# SPDX-License-Identifier: MIT
"""Numbers from samples. In: lists of numbers in the order of the rounds. Out: quantiles, intervals, differences of two runs.

The samples of a run are no independent draws: a machine has phases of some hundreds of milliseconds. So the bootstrap draws whole
blocks of neighbours, and what was measured in turn (a case and its floor) is drawn together. Every draw is seeded: the same samples
give the same interval.
"""
import functools
import random
from dataclasses import dataclass

DRAWS = 400
FEW = 5  # fewer samples than this: the interval is their range


def quantile(samples, q):
    ordered = sorted(samples)
    at = q * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def median(samples):
    return quantile(samples, 0.5)


def lower_decile(samples):
    return quantile(samples, 0.1)


@dataclass
class Estimate:
    """A figure, the interval that holds it with the asked confidence, and of how many samples."""
    value: float
    low: float
    high: float
    count: int


def block_of(count):
    """Length of a block: about the square root."""
    return max(1, int(count ** 0.5))


def draws(count, number=DRAWS, seed=1):
    """Lists of indices, each as long as the sample, made of blocks of neighbours."""
    source = random.Random(seed * 1000003 + count)
    block = block_of(count)
    for _ in range(number):
        indices = []
        while len(indices) < count:
            start = source.randrange(count)
            indices += [(start + i) % count for i in range(block)]
        yield indices[:count]


def interval(values, confidence):
    tail = (1 - confidence) / 2
    return quantile(values, tail), quantile(values, 1 - tail)


def estimate(samples, statistic, confidence=0.95):
    return remembered(tuple(samples), statistic, confidence)


@functools.lru_cache(maxsize=4096)
def remembered(samples, statistic, confidence):
    """The same figure stands in several tables."""
    if len(samples) < FEW:
        return Estimate(statistic(samples), min(samples), max(samples), len(samples))
    drawn = [statistic([samples[i] for i in indices]) for indices in draws(len(samples))]
    low, high = interval(drawn, confidence)
    return Estimate(statistic(samples), low, high, len(samples))


def estimate_pair(samples, base, combine, confidence=0.95):
    """combine(samples, base), both drawn from the same rounds where they have as many."""
    value = combine(samples, base)
    if min(len(samples), len(base)) < FEW:
        values = [combine([a], [b]) for a in samples for b in base]
        return Estimate(value, min(values + [value]), max(values + [value]), min(len(samples), len(base)))
    first = draws(len(samples))
    second = draws(len(base), seed=1 if len(base) == len(samples) else 2)
    drawn = [combine([samples[i] for i in a], [base[i] for i in b]) for a, b in zip(first, second)]
    low, high = interval(drawn, confidence)
    return Estimate(value, low, high, min(len(samples), len(base)))


def over(a, b):
    """a / b, where nothing over nothing is one."""
    if b:
        return a / b
    return 1.0 if not a else float("inf")


def ratio(samples, base, statistic, confidence=0.95):
    return estimate_pair(samples, base, lambda a, b: over(statistic(a), statistic(b)), confidence)


def relative_difference(samples, base, confidence=0.95):
    """By how much of the base the samples are above it: the median over the rounds where they were measured in turn."""
    if len(samples) != len(base):
        return estimate_pair(samples, base, lambda a, b: over(median(a), median(b)) - 1, confidence)
    return estimate([over(a, b) - 1 for a, b in zip(samples, base)], median, confidence)


def change(new, old, statistic, confidence=0.99):
    """Of a figure between two runs, as a share of the old one. new and old: (samples, base or None); with a base it is the ratio to
    the base that is compared, so a machine with another clock rate or phase is no change."""
    new_values, old_values = drawn_values(*new, statistic, seed=3), drawn_values(*old, statistic, seed=5)
    value = over(new_values[0], old_values[0]) - 1
    changes = [over(a, b) - 1 for a, b in zip(new_values[1:], old_values[1:])]
    low, high = interval(changes, confidence)
    return Estimate(value, low, high, min(len(new[0]), len(old[0])))


def drawn_values(samples, base, statistic, seed):
    """The figure itself, then the figure of each draw."""
    def figure(indices):
        value = statistic([samples[i] for i in indices])
        if base is None:
            return value
        return over(value, statistic([base[i] for i in indices] if len(base) == len(samples) else base))
    return [figure(range(len(samples)))] + [figure(indices) for indices in draws(len(samples), seed=seed)]


def judged_by(unit, count):
    """Short bursts: the lower decile, which is the machine's quiet phases. Anything else: the median."""
    return ("p10", lower_decile) if unit in ("ns", "cpu_ns") and count >= 20 else ("median", median)
