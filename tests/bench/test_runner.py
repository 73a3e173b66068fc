# SPDX-License-Identifier: MIT
"""Running programs that crash, hang, print nonsense or are interrupted; and the command line."""
import contextlib
import io
import shutil
import stat
import tempfile
import time
import unittest
from pathlib import Path

from bench.suite import main
from bench.suite.parts import Part
from bench.suite.progress import Progress, duration
from bench.suite.rows import Rows
from bench.suite.runner import Runner

GOOD = """print('{"part":"emit","case":"scope","unit":"ns","samples":[1,2,3]}', flush=True)\n"""


class Interrupting(Progress):
    """Stands for Ctrl-C, once the first row is there."""
    rows = None

    def tick(self, last_line):
        if self.rows.all:
            raise KeyboardInterrupt


class Running(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / "bench").mkdir()
        self.part = Part("emit", "what", 1, 1, ("bench-emit",))
        self.rows = Rows()

    def program(self, text):
        path = self.directory / "bench/bench-emit"
        path.write_text("#!/usr/bin/env python3\nimport os, signal, subprocess, sys, time\n" + text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run_part(self, progress=None):
        progress = progress or Progress([self.part], True, io.StringIO())
        progress.begin(self.part)
        self.runner = Runner(self.directory, True, self.directory, progress)
        self.runner.run(self.part, self.rows)
        return [(row.case, row.skipped) for row in self.rows.all]

    def test_rows_are_taken(self):
        self.program(GOOD)
        self.assertEqual(self.run_part(), [("scope", None)])

    def test_quick_and_the_environment_are_handed_on(self):
        self.program("assert sys.argv[1:] == ['--quick'] and 'gb-collector' in os.environ['GB_COLLECTOR']\n" + GOOD)
        self.assertEqual(self.run_part(), [("scope", None)])

    def test_a_failure_keeps_what_came_before(self):
        self.program(GOOD + "sys.exit('no collector')")
        self.assertEqual(self.run_part(), [("scope", None), ("bench-emit", "it ended with exit status 1: no collector")])
        self.assertEqual(self.runner.broken, ["bench-emit"])

    def test_a_crash_is_named(self):
        self.program(GOOD + "os.kill(os.getpid(), signal.SIGKILL)")
        self.assertEqual(self.run_part()[1], ("bench-emit", "it ended with signal SIGKILL"))

    def test_nonsense_is_told(self):
        self.program("print('hello')\nprint('{\"part\":\"emit\",\"case\":\"a\",\"better\":\"red\",\"samples\":[1]}')\n" + GOOD)
        told = self.run_part()
        self.assertIn("not a result: 'hello'", told[0][1])
        self.assertIn("better is 'red', not one of lower, higher, none", told[1][1])
        self.assertEqual(told[2], ("scope", None))

    def test_no_sample_left(self):
        self.program("""print('{"part":"emit","case":"scope","unit":"ns","samples":[],"discarded":7}')""")
        self.assertEqual(self.run_part(), [("scope", "every sample was thrown away for a drop (7)")])

    def test_not_built(self):
        self.assertEqual(self.run_part(), [("bench-emit", "the program was not built")])

    def test_an_interrupt_keeps_the_rows_and_ends_what_was_started(self):
        pids = self.directory / "pids"
        self.program(f"child = subprocess.Popen(['sleep', '600'])\nopen({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
                     + GOOD + "time.sleep(600)")
        progress = Interrupting([self.part], True, io.StringIO())
        progress.rows = self.rows
        self.assertRaises(KeyboardInterrupt, self.run_part, progress)
        self.assertEqual([row.case for row in self.rows.all], ["scope"])
        for pid in map(int, pids.read_text().split()):
            self.assertTrue(self.gone(pid), pid)

    @staticmethod
    def gone(pid):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                # what nobody waits for any more has ended too
                if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
            except OSError:
                return True
            time.sleep(0.02)
        return False


class CommandLine(unittest.TestCase):
    def call(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main.main(list(arguments))
        return status, out.getvalue(), err.getvalue()

    def test_unknown_part(self):
        status, _, said = self.call("emitt")
        self.assertEqual(status, 2)
        self.assertIn("unknown part 'emitt'; accepted: app emit peers scale drain latency loss", said)

    def test_unknown_option(self):
        status, _, said = self.call("--fast")
        self.assertEqual(status, 2)
        self.assertIn("unknown option '--fast'; accepted: --quick", said)

    def test_missing_value(self):
        for arguments in (["--compare"], ["--compare="], ["--from", ""]):
            self.assertEqual(self.call(*arguments)[0], 2)

    def test_help_and_list(self):
        for option in ("--help", "--list"):
            status, shown, _ = self.call(option)
            self.assertEqual(status, 0)
            self.assertIn("loss", shown)

    def test_old_results_that_are_not_there(self):
        status, _, said = self.call("--compare", "/nonexistent/results.json")
        self.assertEqual(status, 1)
        self.assertIn("cannot read /nonexistent/results.json: No such file or directory", said)

    def test_times(self):
        self.assertEqual([duration(seconds) for seconds in (-1, 5, 99, 100, 3600)], ["0 s", "5 s", "99 s", "1 min 40 s", "60 min 00 s"])


class Compared(CommandLine):
    """Exit status of a whole call."""

    def setUp(self):
        from bench.suite import store
        from . import synthetic
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        for name, run in (("old", synthetic.run(1)), ("new", synthetic.slower(synthetic.run(2), "scope", 1.2))):
            (self.directory / name).mkdir()
            store.save(run, self.directory / name / "results.json")

    def path(self, name):
        return str(self.directory / name / "results.json")

    def test_itself(self):
        self.assertEqual(self.call("--from", self.path("old"), "--compare", self.path("old"))[0], 0)

    def test_slower(self):
        status, shown, _ = self.call("--from", self.path("new"), "--compare", self.path("old"))
        self.assertEqual(status, 1)
        self.assertIn("1 worse", shown)


if __name__ == "__main__":
    unittest.main()
