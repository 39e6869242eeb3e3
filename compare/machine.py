"""The machine and the packages that a result was measured with, without names or paths of the machine."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

PACKAGES = ("torch", "transformers", "onnx", "onnxruntime", "onnxscript", "optimum", "optimum-onnx", "numpy")


def usable_cpus() -> list[int] | None:
    """The CPUs that this process may use, by their numbers; None where the system binds no process to CPUs."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def cores() -> int:
    """How many cores this process may use: the default number of threads for every runtime."""
    cpus = usable_cpus()
    return len(cpus) if cpus is not None else os.cpu_count() or 1


def package_versions() -> dict[str, str]:
    """The installed ones among the packages that decide a result."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The processor's name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def memory_bytes() -> int:
    """The machine's memory."""
    return int(psutil.virtual_memory().total)


def commit() -> str | None:
    """The commit of the checkout this runs from, None outside one; "+" where files changed since.

    The benchmarks' results do not count: they are what is being written.
    """
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None
    try:
        head = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        status = subprocess.run(
            ["git", "-C", here, "status", "--porcelain", "--", ".", ":!benchmarks/results"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip()[:12] + ("+" if status.stdout.strip() else "")
