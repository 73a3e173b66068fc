#!/bin/sh
# SPDX-License-Identifier: MIT
# archive.sh IN OUT OBJCOPY AR COMPILER...: the static library that is installed: one object in which everything but the gb_
# calls is local, so that no name of ours can meet one of a program's own.
set -eu
in=$1 out=$2 objcopy=$3 ar=$4
shift 4
object=$(dirname "$out")/gbtelemetry.o
trap 'rm -f "$object"' EXIT
"$@" -r -nostdlib -o "$object" -Wl,--whole-archive "$in" -Wl,--no-whole-archive
"$objcopy" --localize-hidden "$object"
rm -f "$out"
"$ar" rcs "$out" "$object"
