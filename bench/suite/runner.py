# SPDX-License-Identifier: MIT
"""Runs the programs of a part. In: where they were built. Out: their rows; what they said on stderr goes to a log. A program that
crashes, hangs or prints nonsense becomes a row that says so: the other parts go on."""
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from pathlib import Path

from .rows import Row, parse

SHARED = Path("/dev/shm")


class Runner:
    def __init__(self, build, quick, logs, progress):
        self.build, self.quick, self.logs, self.progress = Path(build), quick, Path(logs), progress
        self.broken = []  # programs that crashed, hung, or could not measure
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("GEMINI_BATCH_TELEMETRY")}
        self.environment.update(GB_COLLECTOR=str(self.build / "collector/gb-collector"),
                                GB=str(self.build / "collector/cli/gb"),
                                GB_BATCH_WORKER=str(self.build / "examples/batch_worker"))

    def run(self, part, rows):
        """Adds the rows of all programs of a part as they come, so that an interrupt keeps them."""
        for program in part.programs:
            found = [path for path in (self.build / "bench").rglob(program) if path.is_file()]
            if found:
                self.run_program(part, [str(found[0])] + (["--quick"] if self.quick else []), rows)
            else:
                rows.add(Row(part.name, program, skipped="the program was not built"))

    def run_program(self, part, command, rows):
        name = Path(command[0]).name
        limit = time.monotonic() + 120 + 6 * part.seconds(self.quick)
        before = segments()
        with open(self.logs / f"{name}.txt", "wb") as log:
            # a group of its own: an interrupt at the terminal is for the driver, which then ends the group
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                       env=self.environment, start_new_session=True)
            try:
                trouble = self.follow(process, log, limit, rows)
            except BaseException:
                end_group(process)
                remove_segments(segments() - before)
                raise
        if trouble:
            end_group(process)
        status = process.wait()
        process.stdout.close()
        process.stderr.close()
        if not trouble and status:
            trouble = f"it ended with {describe_status(status)}"
        if trouble:
            self.broken.append(name)
            last = last_words(self.logs / f"{name}.txt")
            rows.add(Row(part.name, name, skipped=trouble + (f": {last}" if last else "")))
            remove_segments(segments() - before)

    def follow(self, process, log, limit, rows):
        """Reads both outputs until both end. Returns what went wrong, or None."""
        pending, last = b"", ""
        with selectors.DefaultSelector() as selector:
            for stream in (process.stdout, process.stderr):
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                if time.monotonic() > limit:
                    return "it took too long and was stopped"
                for ready, _ in selector.select(0.5):
                    data = os.read(ready.fileobj.fileno(), 1 << 16)
                    if not data:
                        selector.unregister(ready.fileobj)
                    elif ready.fileobj is process.stderr:
                        log.write(data)
                        last = (re.split(rb"[\r\n]+", data.strip())[-1].decode(errors="replace").strip()) or last
                    else:
                        *lines, pending = (pending + data).split(b"\n")
                        for line in lines:
                            self.take(line, rows, process)
                self.progress.tick(last)
        if pending.strip():
            self.take(pending, rows, process)
        return None

    @staticmethod
    def take(line, rows, process):
        if not line.strip():
            return
        try:
            rows.add(parse(line))
        except (ValueError, TypeError) as error:
            text = line.decode(errors="replace")
            name = Path(process.args[0]).name
            rows.add(Row(name.removeprefix("bench-"), name, skipped=f"not a result: {text[:60]!r}: {error}"))


def describe_status(status):
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def last_words(path):
    lines = [line.strip() for line in re.split(r"[\r\n]+", Path(path).read_text(errors="replace")) if line.strip()]
    return lines[-1][:200] if lines else ""


def end_group(process):
    """Ends what the program started too, politely first: its collectors and daemons."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    for stream in (process.stdout, process.stderr):
        stream.close()


def segments():
    return set(SHARED.glob("gb-bench-*")) if SHARED.is_dir() else set()


def remove_segments(directories):
    """Those that nobody has mapped: another run may be under way."""
    for directory in directories:
        mapped = any(str(directory).encode() in maps for maps in all_maps())
        if not mapped:
            shutil.rmtree(directory, ignore_errors=True)


def all_maps():
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            yield maps.read_bytes()
        except OSError:
            continue
