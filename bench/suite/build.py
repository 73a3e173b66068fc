# SPDX-License-Identifier: MIT
"""Builds what is measured: optimised, without tests, in a directory of its own. In: the checkout. Out: build-bench/."""
import subprocess
import sys
import tempfile

OPTIONS = ("--buildtype=release", "-Dtests=false", "-Dbench=true", "-Dexamples=true")


class BuildError(Exception):
    pass


def packages(root):
    """What the build needs must be there; what is missing of the peers is skipped in the tables."""
    if subprocess.run([str(root / "run"), "deps"]).returncode:
        raise BuildError("the packages that the build needs are missing (see above)")
    if subprocess.run([str(root / "run"), "deps", "bench"]).returncode:
        print("./run bench: going on without them: what needs them is skipped, and the tables say so", file=sys.stderr)


def build(root):
    directory = root / "build-bench"
    configured = (directory / "build.ninja").exists()
    # configured anew each time: a peer that was installed since is then found
    setup = ["meson", "setup", str(directory), str(root), *OPTIONS] + (["--reconfigure"] if configured else [])
    print(f"Building, optimised, into {directory}", file=sys.stderr, flush=True)
    with tempfile.TemporaryFile("w+") as log:
        for command in (setup, ["ninja", "-C", str(directory)]):
            if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL).returncode:
                log.seek(0)
                sys.stderr.write("".join(log.readlines()[-40:]))
                raise BuildError("the build failed (its last lines are above)")
    return directory
