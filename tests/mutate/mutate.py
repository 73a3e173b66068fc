#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./run mutate: plants one bug after another and looks whether a test finds it.

In: mutations.txt, one block a bug. Each is planted in a copy of the sources, what the named tests need is built, and the tests run until one
fails. Out: a table. Exit status 1 when a bug survived, did not compile, or does not fit the sources any more.
"""
import argparse
import datetime
import filecmp
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = os.path.join(ROOT, "tests", "mutate", "mutations.txt")


class Mutation:
    """One block: `== name`, `file`, `tests`, `breaks`, then the old lines (-) and the new ones (+)."""

    def __init__(self, name):
        self.name, self.file, self.tests, self.breaks = name, "", [], ""
        self.old, self.new = [], []

    def apply(self, text):
        old = "".join(line + "\n" for line in self.old)
        if text.count(old) != 1:
            raise ValueError(f"its old lines are {text.count(old)} times in {self.file}, and must be there once")
        return text.replace(old, "".join(line + "\n" for line in self.new))


def read_table(path):
    mutations = []
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.rstrip("\n")
        word, _, rest = line.partition(" ")
        if not line or word == "#":
            continue
        if word == "==":
            mutations.append(Mutation(rest))
        elif word in ("-", "+"):
            (mutations[-1].old if word == "-" else mutations[-1].new).append(rest)
        elif word == "file":
            mutations[-1].file = rest.strip()
        elif word == "breaks":
            mutations[-1].breaks = rest.strip()
        elif word == "tests":
            mutations[-1].tests = [name.strip() for name in rest.split(",")]
        else:
            sys.exit(f"{path}:{number}: {word}: accepted are ==, file, tests, breaks, - and +")
    return mutations


def check_all(mutations, root):
    """Each applies to the sources as they are."""
    bad = 0
    for mutation in mutations:
        try:
            with open(os.path.join(root, mutation.file), encoding="utf-8") as file:
                mutation.apply(file.read())
        except (OSError, ValueError) as error:
            print(f"{mutation.name}: {error}", file=sys.stderr)
            bad += 1
    return bad


class Scratch:
    """A copy of the sources with a build of its own."""

    def __init__(self, place):
        self.kept = place is not None
        self.place = os.path.abspath(place) if place else tempfile.mkdtemp(prefix="gb-mutate-")
        os.makedirs(self.place, exist_ok=True)
        self.root, self.build = os.path.join(self.place, "source"), os.path.join(self.place, "build")
        self.log = open(os.path.join(self.place, "log"), "w", encoding="utf-8")

    def run(self, *command, timeout=None):
        try:
            done = subprocess.run(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, timeout=timeout,
                                  env=dict(os.environ, GB_KILLS="10"), check=False)
            return done.returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def make(self):
        files = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True).stdout.split(b"\0")
        for name in (os.fsdecode(file) for file in files if file):
            source, target = os.path.join(ROOT, name), os.path.join(self.root, name)
            if os.path.isfile(source) and not (os.path.isfile(target) and filecmp.cmp(source, target, shallow=False)):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(source, target)
        ready = os.path.isfile(os.path.join(self.build, "build.ninja"))
        if not ready and not self.run("meson", "setup", self.build, self.root, "-Dbench=false"):
            sys.exit(f"the copy cannot be configured: see {self.log.name}")
        self.needs = self.read_needs()

    def introspect(self, what):
        return json.loads(subprocess.run(["meson", "introspect", self.build, what], capture_output=True, check=True).stdout)

    def read_needs(self):
        """Name of a test -> the files that it needs."""
        files = {target["id"]: [os.path.relpath(name, self.build) for name in target["filename"]]
                 for target in self.introspect("--targets")}
        return {test["name"]: [name for need in test["depends"] for name in files.get(need, [])]
                for test in self.introspect("--tests")}

    def compile(self, tests):
        missing = [name for name in tests if name not in self.needs]
        if missing:
            sys.exit(f"there is no test {missing[0]}")
        return self.run("ninja", "-C", self.build, *sorted({need for name in tests for need in self.needs[name]}))

    def test(self, name):
        self.log.write(f"---- {name}\n")
        self.log.flush()
        return self.run("meson", "test", "-C", self.build, "--no-rebuild", name, timeout=240)

    def close(self):
        self.log.close()
        if not self.kept:
            shutil.rmtree(self.place, ignore_errors=True)


def try_one(scratch, mutation):
    """What found it, or None; 'no build'."""
    path = os.path.join(scratch.root, mutation.file)
    with open(path, encoding="utf-8") as file:
        sound = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(mutation.apply(sound))
    try:
        if not scratch.compile(mutation.tests):
            return "no build"
        for name in mutation.tests:
            if not scratch.test(name):
                return name
        return None
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(sound)


def sound_tests(scratch, mutations):
    """A test that fails on sound sources finds nothing."""
    names = sorted({name for mutation in mutations for name in mutation.tests})
    if not scratch.compile(names):
        sys.exit(f"the sound sources do not build: see {scratch.log.name}")
    for name in names:
        if not scratch.test(name) and not scratch.test(name):
            sys.exit(f"the test {name} fails without any mutation: see {scratch.log.name}")


def choose(mutations, arguments):
    if arguments.names:
        known = {mutation.name: mutation for mutation in mutations}
        unknown = [name for name in arguments.names if name not in known]
        if unknown:
            print(f"mutate: unknown mutation '{unknown[0]}'; accepted: {' '.join(known)}", file=sys.stderr)
            sys.exit(2)
        return [known[name] for name in arguments.names]
    if arguments.some:
        seed = arguments.seed if arguments.seed is not None else int(datetime.date.today().strftime("%Y%m%d"))
        print(f"{arguments.some} of {len(mutations)} mutations, by the seed {seed}")
        quick = [mutation for mutation in mutations if not mutation.tests[0].startswith("endtoend")]
        return random.Random(seed).sample(quick, arguments.some)
    return mutations


def main():
    parser = argparse.ArgumentParser(prog="./run mutate", description="Plants bugs, one at a time, and looks whether a test finds each.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="these mutations alone (default: all)")
    parser.add_argument("--check", action="store_true", help="only look whether all of them still fit the sources")
    parser.add_argument("--some", type=int, metavar="N", help="N of them, by the seed")
    parser.add_argument("--seed", type=int, help="default: the date")
    parser.add_argument("--scratch", metavar="DIR", help="a place for the copy that is kept: the next run builds less")
    arguments = parser.parse_args()
    mutations = read_table(TABLE)
    bad = check_all(mutations, ROOT)
    if bad or arguments.check:
        print(f"{len(mutations) - bad} of {len(mutations)} mutations fit the sources")
        return 1 if bad else 0
    mutations = choose(mutations, arguments)
    scratch = Scratch(arguments.scratch)
    caught, wrong = 0, []
    try:
        scratch.make()
        sound_tests(scratch, mutations)
        print(f"{'mutation':<26} {'':<9} {'by':<24} {'s':>4}  what it breaks")
        for mutation in mutations:
            start = time.monotonic()
            by = try_one(scratch, mutation)
            result = "survived" if by is None else "caught" if by != "no build" else by
            caught += result == "caught"
            if result != "caught":
                wrong.append(mutation.name)
            print(f"{mutation.name:<26} {result:<9} {by or '-':<24} {time.monotonic() - start:4.0f}  {mutation.breaks}", flush=True)
    finally:
        scratch.close()
    print(f"{caught} of {len(mutations)} mutations were caught" + (f"; not: {' '.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
