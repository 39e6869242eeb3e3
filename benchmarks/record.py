"""What every benchmark ends with: figures in `results/NAME.json`, a line of aims held or missed, an exit code."""

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
    """What was aimed at and what was reached; `held` says whether that is enough."""

    what: str
    aimed: str
    reached: str
    held: bool

    def __str__(self) -> str:
        return f"{self.what}: aimed {self.aimed}, reached {self.reached}, {'held' if self.held else 'MISSED'}"


def arguments(description: str | None) -> argparse.Namespace:
    """The command line that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions; figures are kept apart")
    return parser.parse_args()


def finish(name: str, figures: Mapping[str, Any], aims: list[Aim], *, quick: bool) -> NoReturn:
    """Keep the figures with environment and commit, print the aims on the last line, exit 0 if all held, else 1."""
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
    path = RESULTS / f"{name}{'.quick' if quick else ''}.json"
    path.write_text(json.dumps(kept, indent=1) + "\n")
    print(" | ".join(map(str, aims)))
    sys.exit(0 if all(aim.held for aim in aims) else 1)
