# SPDX-License-Identifier: MIT
"""Describes the machine that is measured. In: /proc, /sys, the compiler. Out: a dict of what matters for the figures; nothing that
names the machine or its user."""
import os
import platform
import re
import subprocess
from pathlib import Path

CPU = Path("/sys/devices/system/cpu")


def text_of(path, default=""):
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return default


def said_by(*command):
    """The first line that a command prints."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=20)
        return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""


def cpu_field(cpuinfo, *names):
    for name in names:
        found = re.search(rf"^{name}\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
        if found:
            return found.group(1).strip()
    return ""


def caches():
    found = {}
    for index in sorted(CPU.glob("cpu0/cache/index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(text_of(index / "type"), "")
        found["L" + text_of(index / "level") + kind] = text_of(index / "size")
    return found


def mitigations():
    """Name -> what the kernel does, of the faults that this CPU has."""
    found = {}
    for path in sorted((CPU / "vulnerabilities").glob("*")):
        state = text_of(path)
        if state and not state.startswith("Not affected"):
            found[path.name] = state
    return found


def governor():
    found = {text_of(path) for path in CPU.glob("cpu*/cpufreq/scaling_governor")} - {""}
    return "/".join(sorted(found)) or "not told"


def virtualisation(cpuinfo):
    """The hypervisor's name, "yes" where it has none, or "no"."""
    if (kind := said_by("systemd-detect-virt")) and kind != "none":
        return kind
    flags = cpu_field(cpuinfo, "flags", "Features").split()
    return text_of("/sys/hypervisor/type") or ("yes" if "hypervisor" in flags else "no")


def memory_bytes():
    found = re.search(r"^MemTotal:\s*(\d+) kB", text_of("/proc/meminfo"), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def describe(root):
    cpuinfo = text_of("/proc/cpuinfo")
    clock = Path("/sys/devices/system/clocksource/clocksource0")
    return {
        "cpu": cpu_field(cpuinfo, "model name", "Model", "Hardware") or platform.processor() or platform.machine(),
        "cpu_family": cpu_field(cpuinfo, "cpu family", "CPU architecture"),
        "cpu_model": cpu_field(cpuinfo, "model", "CPU part"),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "threads_a_core": len(re.findall(r"\d+", text_of(CPU / "cpu0/topology/thread_siblings_list", "0").replace("-", ","))),
        "caches": caches(),
        "memory_bytes": memory_bytes(),
        "governor": governor(),
        "boost": {"1": "on", "0": "off"}.get(text_of(CPU / "cpufreq/boost"), "not told"),
        "clock_source": text_of(clock / "current_clocksource", "not told"),
        "virtualised": virtualisation(cpuinfo),
        "mitigations": mitigations(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "compiler": said_by(os.environ.get("CC", "cc"), "--version"),
        "load_before": round(os.getloadavg()[0], 2),
        "version": said_by("git", "-C", str(root), "describe", "--always", "--dirty"),
    }


def short(machine):
    """One line for a plot or a heading."""
    cpu = re.sub(r"\((R|TM)\)|\bCPU\b|@.*|\d+-Core Processor", "", machine.get("cpu", "?"))
    words = [re.sub(r"\s+", " ", cpu).strip()]
    if machine.get("cpu_family"):
        words[0] += f" (family {machine['cpu_family']})"
    words.append(f"{machine.get('cores', '?')} core" + ("" if machine.get("cores") == 1 else "s"))
    if machine.get("virtualised", "no") != "no":
        words.append("virtual")
    words.append("Linux " + re.match(r"[\d.]*\d", machine.get("kernel", "?") + " ?")[0] if machine.get("kernel") else "Linux")
    return ", ".join(words)


def lines(machine):
    """(what, value), for the report."""
    faults = machine.get("mitigations", {})
    yield "CPU", f"{machine.get('cpu')}, family {machine.get('cpu_family')} model {machine.get('cpu_model')}"
    yield "cores", f"{machine.get('cores')} usable, {machine.get('threads_a_core')} thread(s) a core"
    yield "caches", ", ".join(f"{name} {size}" for name, size in machine.get("caches", {}).items()) or "not told"
    yield "memory", f"{machine.get('memory_bytes', 0) / 2 ** 30:.1f} GiB"
    yield "virtualised", machine.get("virtualised", "not told")
    yield "governor, boost", f"{machine.get('governor')}, {machine.get('boost')}"
    yield "clock source", machine.get("clock_source", "not told")
    yield "kernel, libc", f"{machine.get('kernel')}, {machine.get('libc')}"
    yield "compiler", machine.get("compiler", "not told")
    yield "mitigations", "; ".join(f"{name}: {state}" for name, state in faults.items()) or "none needed"
    yield "load before", f"{machine.get('load_before')}"
    yield "version", machine.get("version") or "not told"
