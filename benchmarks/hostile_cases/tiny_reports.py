"""Small saved reports, and their maps of attention, with changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile_cases.case import Make
from benchmarks.hostile_cases.files import file

#: A small report of an older schema, which this version reads.
SMALL = Path(__file__).parents[2] / "tests" / "compare" / "report" / "schema_8.json"

#: The report of a case, and its maps.
REPORT, MAPS = "saved/report.json", "saved/maps.npz"

#: Commands that read it.
SHOW = ("compare", "show", "saved")
REJUDGE = ("compare", "rejudge", "saved")
DIFF = ("compare", "diff", "saved", "saved")

#: Every way in which a report is printed.
FORMATS = ("terminal", "full", "quiet", "json", "markdown", "html", "pytest-benchmark")

#: The keys and indexes that lead to a value.
Place = tuple[str | int, ...]

#: Stands for a value that is left out.
GONE = object()


def report(*changes: tuple[Place, Any], name: str = REPORT) -> Make:
    """Make a report, but for some values. changes: place -> value; `GONE` removes it."""

    def made(work: Path) -> None:
        content = json.loads(SMALL.read_text())
        for (*path, last), value in changes:
            part = content
            for key in path:
                part = part[key]
            if value is GONE:
                del part[last]
            else:
                part[last] = value
        file(name, json.dumps(content))(work)

    return made


def maps_of(edit: Callable[..., dict[str, Any]]) -> Make:
    """Write the maps of the report, with changes."""

    def made(work: Path) -> None:
        random = np.random.default_rng(0)
        attention = random.random((4, 32, 32)).astype(np.float16)
        maps: dict[str, Any] = {f"golden/attention.{layer}": attention for layer in range(2)}
        for name in ("torch-eager", "onnxruntime"):
            maps |= {f"{name}/attention.{layer}": attention for layer in range(2)}
            maps |= {f"{name}/attention.{layer}/largest": np.ones(4) for layer in range(2)}
        with (work / MAPS).open("wb") as opened:
            np.savez(opened, allow_pickle=True, **edit(maps))

    return made
