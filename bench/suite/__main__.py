# SPDX-License-Identifier: MIT
"""python3 -m bench.suite, as ./run bench calls it."""
import sys

from .main import main

sys.exit(main(sys.argv[1:]))
