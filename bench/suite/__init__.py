# SPDX-License-Identifier: MIT
"""The bench suite's driver: runs the programs of bench/, computes, compares, writes the report and the plots."""
