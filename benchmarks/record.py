"""The common end of every benchmark: saves figures in `results/NAME.json`, prints the aims, and sets the exit code."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from compare import machine

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Aim:
    """An aim and the result. what: the quantity. aimed, reached: as text. held: whether the result meets the aim."""

    what: str
    aimed: str
    reached: str
    held: bool

    def __str__(self) -> str:
        return f"{self.what}: aimed {self.aimed}, reached {self.reached}, {'held' if self.held else 'MISSED'}"


def arguments(description: str | None) -> argparse.Namespace:
    """Parse the command line of a benchmark that has no option of its own."""
    return parser(description).parse_args()


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of what every benchmark's command line has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--quick", action="store_true", help="fewer repetitions; results go to a separate file")
    return made


def recorded(name: str, *, quick: bool) -> dict[str, Any]:
    """Return the figures of a benchmark's last run; empty if there is none."""
    path = _path(name, quick=quick)
    figures: dict[str, Any] = json.loads(path.read_text())["figures"] if path.is_file() else {}
    return figures


def finish(name: str, figures: Mapping[str, Any], aims: list[Aim], *, quick: bool) -> NoReturn:
    """Save the figures, print the aims on one line, and exit with 0 if all hold, else 1."""
    save(name, figures, aims, quick=quick)
    print(" | ".join(map(str, aims)))
    sys.exit(0 if all(aim.held for aim in aims) else 1)


def save(name: str, figures: Mapping[str, Any], aims: list[Aim], *, quick: bool) -> None:
    """Save the figures with environment and commit, in place of those of the last run."""
    RESULTS.mkdir(exist_ok=True)
    kept = {
        "benchmark": name,
        "quick": quick,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": machine.commit(),
        "environment": {
            "processor": machine.processor(),
            "cores": machine.cores(),
            "memory_bytes": machine.memory_bytes(),
            "packages": machine.package_versions(),
        },
        "aims": [asdict(aim) for aim in aims],
        "figures": figures,
    }
    _path(name, quick=quick).write_text(json.dumps(kept, indent=1) + "\n")


def _path(name: str, *, quick: bool) -> Path:
    return RESULTS / f"{name}{'.quick' if quick else ''}.json"
