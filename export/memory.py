"""The memory that is free, and the error of a model that needs more."""

from pathlib import Path

from export.errors import CannotRun

#: What helps if a model does not fit into memory.
SMALLER = "close other programs, or take a smaller model"

#: The files of a control group that have its limit and its use of memory, and the line of memory.stat with the part of
#: it that the kernel takes back first: of version 2, and of version 1.
_COUNTS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available_bytes() -> int:
    """Return the system's estimate of how many bytes can be used without swapping.

    On Linux, a control group, such as a container's, may allow less than the machine has.
    """
    import psutil

    left = [found for folder in memory_groups() if (found := left_in(folder)) is not None]
    return min([int(psutil.virtual_memory().available), *left])


def check_memory(needed: int, what: str, mend: str) -> None:
    """Raise `CannotRun` if something needs more memory than is free.

    needed: bytes. what: what needs them, for the message. mend: what else can be done.

    >>> check_memory(10**18, "the model in x", "take a smaller model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    export.errors.CannotRun: the model in x needs about 1,000,000,000.0 GB of memory, and ... GB are free; take ...
    """
    free = available_bytes()
    if needed > free:
        raise CannotRun(
            f"{what} needs about {needed / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free; {mend}"
        )


def memory_groups() -> list[Path]:
    """Return the folders that this process's control groups may have, the closest one first; empty outside Linux."""
    groups, root = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
    found: list[Path] = []
    for line in groups.read_text().splitlines() if groups.is_file() else []:
        _, controllers, group = line.split(":", 2)
        if "memory" in controllers.split(",") or not controllers:
            top = root / "memory" if controllers else root
            own = top / group.lstrip("/")
            found += [own, *(parent for parent in own.parents if parent.is_relative_to(top))]
    return found


def left_in(folder: Path) -> int | None:
    """Return how many bytes a control group may still use, or None if it has no limit."""
    for limit, used, reclaimable in _COUNTS:
        try:
            left = int((folder / limit).read_text()) - int((folder / used).read_text())
            counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # ValueError: the limit is "max"
            continue
        return max(0, left + int(counts.get(reclaimable, 0)))
    return None
