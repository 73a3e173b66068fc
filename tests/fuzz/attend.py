#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a fuzzer, and writes what it took of the processor: attend.py FILE COMMAND...

FILE gets seconds, user and system, of the command and of all that it has started: AFL++ does not wait for the processes that do its work,
so those come to this one (as their subreaper), which does. SIGTERM ends the command first. Exit status: the command's."""
import ctypes
import os
import resource
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
signal.signal(signal.SIGTERM, lambda *_: command.terminate())
command = subprocess.Popen(sys.argv[2:])
status = command.wait()
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write(f"{used.ru_utime + used.ru_stime:.1f}\n")
sys.exit(status if status >= 0 else 128 - status)
