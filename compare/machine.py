"""Information on the machine and the package versions of a measurement, without host names or paths."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

PACKAGES = ("torch", "transformers", "onnx", "onnxruntime", "onnxscript", "optimum", "optimum-onnx", "numpy")


def usable_cpus() -> list[int] | None:
    """Return the numbers of the CPUs that this process may use; None if the system cannot bind processes to CPUs."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def cores() -> int:
    """Return how many cores this process may use, which is the default number of threads of every runtime."""
    cpus = usable_cpus()
    return len(cpus) if cpus is not None else os.cpu_count() or 1


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages among those that affect results (`PACKAGES`)."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """Return the processor's name as the system reports it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def memory_bytes() -> int:
    """Return the machine's total memory in bytes."""
    return int(psutil.virtual_memory().total)


def gpus() -> list[str]:
    """Return the name, the memory and the driver of each NVIDIA GPU, as nvidia-smi reports them; empty without it."""
    wanted = "--query-gpu=name,memory.total,driver_version"
    try:
        found = subprocess.run(
            ["nvidia-smi", wanted, "--format=csv,noheader"], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in found.stdout.splitlines() if line.count(",") == 2]
    return [f"{name}, {memory}, driver {driver}" for name, memory, driver in rows]


def commit() -> str | None:
    """Return the commit of this code's checkout, followed by "+" if files have changed; None without a checkout.

    Changes of the benchmarks' results are ignored, because benchmarks write them while they run.
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
