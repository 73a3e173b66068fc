# SPDX-License-Identifier: MIT
"""What runs and how long is left. In: the parts of this run. Out: stderr; at a terminal one line that is rewritten."""
import sys
import time


def duration(seconds):
    seconds = max(0, int(seconds + 0.5))
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min {seconds % 60:02d} s"


class Progress:
    def __init__(self, parts, quick, out=sys.stderr):
        self.parts, self.quick, self.out = list(parts), quick, out
        self.terminal = out.isatty()
        self.number = 0
        self.part = None
        self.started = 0.0

    def say(self, text):
        self.clear()
        print(text, file=self.out, flush=True)

    def clear(self):
        if self.terminal:
            print("\r\033[K", end="", file=self.out, flush=True)

    def left(self):
        """Of this part, and of all, by what the parts usually take."""
        after = sum(part.seconds(self.quick) for part in self.parts[self.number:])
        own = max(0, self.part.seconds(self.quick) - (time.monotonic() - self.started))
        return own + after

    def begin(self, part):
        self.number += 1
        self.part, self.started = part, time.monotonic()
        self.say(f"[{self.number}/{len(self.parts)}] {part.name}: {part.what} (about {duration(self.left())} left in all)")

    def tick(self, last_line):
        if self.terminal:
            passed = time.monotonic() - self.started
            line = f"      {duration(passed)}, {duration(self.left())} left | {last_line}"
            print("\r\033[K" + line[:79], end="", file=self.out, flush=True)

    def end(self, rows, skipped):
        note = f", {skipped} skipped" if skipped else ""
        self.say(f"      {rows} results{note} in {duration(time.monotonic() - self.started)}")
