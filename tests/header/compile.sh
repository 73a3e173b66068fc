#!/bin/sh
# SPDX-License-Identifier: MIT
# The header, compiled as users compile it: every standard, both compilers, on and off, pedantically; and what must not compile.
# usage: compile.sh SOURCE_ROOT
set -u
root=$1
here=$root/tests/header
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
warnings="-Wall -Wextra -Wshadow -Wconversion -Wpedantic -Werror"
passed=0 failed=0
fail() {
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$1"
}

compilers=""
for compiler in gcc clang; do
    command -v $compiler >/dev/null && compilers="$compilers $compiler"
done
[ -n "$compilers" ] || { echo "no compiler"; exit 1; }

for compiler in $compilers; do
    for standard in c11 gnu11 c++11 c++17; do
        case $standard in
        c++*) driver=$([ $compiler = gcc ] && echo g++ || echo clang++) language=c++ ;;
        *) driver=$compiler language=c ;;
        esac
        for level in -O0 -O2; do
            for off in "" -DGB_TELEMETRY_OFF; do
                what="$driver -std=$standard $level $off"
                if ! $driver -std=$standard $level $off $warnings -I"$root/include" -x $language -c "$here/positions.c" \
                    -o "$out/positions.o" 2>"$out/log"; then
                    fail "$what"
                    head -5 "$out/log"
                    continue
                fi
                if [ -n "$off" ]; then
                    if nm "$out/positions.o" | grep -q 'gb_'; then
                        fail "$what: the object refers to a gb_ symbol"
                    fi
                    $driver "$out/positions.o" -o "$out/positions" && "$out/positions" || fail "$what: run"
                fi
                passed=$((passed + 1))
            done
        done
        for refused in "$here"/refused/*.c; do
            expected=$(sed -n 's/^\/\* refused: \(.*\) \*\/$/\1/p' "$refused")
            what="$driver -std=$standard refuses $(basename "$refused")"
            if $driver -std=$standard -I"$root/include" -x $language -c "$refused" -o "$out/refused.o" 2>"$out/log"; then
                fail "$what: it compiles"
            elif ! grep -q -- "$expected" "$out/log"; then
                fail "$what: does not say '$expected'"
                head -3 "$out/log"
            else
                passed=$((passed + 1))
            fi
        done
    done
done
echo "$passed compilations as expected, $failed not"
[ $failed -eq 0 ]
