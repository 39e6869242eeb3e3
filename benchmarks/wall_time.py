"""Measure the wall time of `python -m compare`, until the first verdict and in all, by phase.

Four commands are timed: the default run with its model in the cache, the same with an empty cache, the default run
with `--no-latency`, and `--model byte-gpt2 --quick`. With `--before COMMIT`, an earlier commit takes turns with this
one. Two more times show how fast the machine was meanwhile: a matrix product (2048 x 2048 in float32, NumPy, 20 times),
and an import of torch and transformers in a new process.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.progress import PROGRESS
from benchmarks.record import Aim, finish, parser

ROOT = Path(__file__).parents[1]
IMPORTS = "import torch, transformers.modeling_utils, transformers.models.auto.modeling_auto"


class Case(NamedTuple):
    """A command and its aims. arguments: of `python -m compare`. cold: whether its cache is empty. In seconds."""

    arguments: list[str]
    cold: bool
    most: float
    first: float | None = None


CASES = {
    "default, warm": Case([], cold=False, most=60, first=8),
    "default, cold with export": Case([], cold=True, most=110),
    "--no-latency, warm": Case(["--no-latency"], cold=False, most=20),
    "--model byte-gpt2 --quick, warm": Case(["--model", "byte-gpt2", "--quick"], cold=False, most=10),
}


@dataclass(frozen=True)
class Run:
    """A timed run. product_s and import_s were measured before it. first_verdict_s: None if none was printed."""

    case: str
    side: str
    seconds: float
    first_verdict_s: float | None
    product_s: float
    import_s: float
    phases: dict[str, float]


def main() -> None:
    command_line = parser(__doc__)
    command_line.add_argument("--before", metavar="COMMIT", help="also time this commit")
    options = command_line.parse_args()
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as scratch, checkouts(options.before, Path(scratch)) as sides:
        for side, folder in sides.items():
            # Fill the cache, and let Python compile its files.
            for arguments in (["--no-latency"], ["--model", "byte-gpt2", "--quick"]):
                timed(folder, Path(scratch) / side, arguments)
        for number in range(1 if options.quick else 3):
            for name, case in CASES.items():
                if case.cold and number:
                    continue
                for side, folder in sides.items():
                    PROGRESS.stage(name, f"{side}, repetition {number + 1}")
                    runs.append(measured(name, side, folder, Path(scratch)))
                    print(line(runs[-1]), flush=True)
    for name in CASES:
        print(table(name, [run for run in runs if run.case == name]))
    finish(
        "wall_time", {"before": options.before, "runs": [asdict(run) for run in runs]}, aims(runs), quick=options.quick
    )


@contextmanager
def checkouts(before: str | None, scratch: Path) -> Iterator[dict[str, Path]]:
    """Yield the folders of the sides: the earlier commit, if there is one, in a work tree of its own, and this one."""
    if before is None:
        yield {"now": ROOT}
        return
    tree = scratch / "tree"
    subprocess.run(["git", "worktree", "add", "--detach", tree, before], cwd=ROOT, check=True, capture_output=True)
    try:
        yield {"before": tree, "now": ROOT}
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)


def measured(name: str, side: str, folder: Path, scratch: Path) -> Run:
    """Run a case in a side's folder. Its cache is that of the side, or a new one."""
    case = CASES[name]
    pace = product(), import_time()
    with tempfile.TemporaryDirectory(dir=scratch) as empty:
        cache = Path(empty) if case.cold else scratch / side
        seconds, first, phases = timed(folder, cache, case.arguments)
    return Run(name, side, seconds, first, *pace, phases)


def timed(folder: Path, cache: Path, arguments: list[str]) -> tuple[float, float | None, dict[str, float]]:
    """Run `python -m compare` in a folder. Return its seconds, those until the first verdict, and its phases."""
    first = None
    with tempfile.TemporaryDirectory() as out:
        verbose = ["-v"] if folder == ROOT else []  # earlier commits print verdicts without it
        command = [sys.executable, "-m", "compare", *verbose, *arguments, "--out", out]
        environment = {**os.environ, "ONNX_ATTENTION_COMPARE_CACHE": str(cache)}
        start = time.perf_counter()
        with subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            lines = []
            for text in process.stderr:
                lines.append(text)
                if first is None and "torch-eager: " in text and " from golden" in text:
                    first = time.perf_counter() - start
        seconds = time.perf_counter() - start
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, stderr="".join(lines))
        phases = json.loads((Path(out) / "report.json").read_text())["phases"]
    return seconds, first, phases


def product() -> float:
    """Return the seconds of the fixed matrix product."""
    left = right = np.random.default_rng(0).standard_normal((2048, 2048), dtype=np.float32)
    start = time.perf_counter()
    for _ in range(20):
        left @ right
    return time.perf_counter() - start


def import_time() -> float:
    """Return the seconds in which a new process imports torch and transformers."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - start


def line(run: Run) -> str:
    first = "" if run.first_verdict_s is None else f", first verdict {run.first_verdict_s:.1f} s"
    pace = f"product {run.product_s:.2f} s, import {run.import_s:.2f} s"
    return f"{run.case}, {run.side}: {run.seconds:.1f} s{first}; {pace}"


def table(name: str, runs: list[Run]) -> str:
    """Return a table with the median of each figure, a column for each side."""
    sides = list(dict.fromkeys(run.side for run in runs))
    of_side = {side: [run for run in runs if run.side == side] for side in sides}
    rows = {
        "wall time": [median(run.seconds for run in of_side[side]) for side in sides],
        "first verdict": [median(run.first_verdict_s for run in of_side[side]) for side in sides],
    }
    for phase in dict.fromkeys(phase for run in runs for phase in run.phases):
        rows[phase] = [median(run.phases.get(phase) for run in of_side[side]) for side in sides]
    rows["matrix product"] = [median(run.product_s for run in of_side[side]) for side in sides]
    rows["import"] = [median(run.import_s for run in of_side[side]) for side in sides]
    lines = [f"{name + ', s':<32}" + "".join(f"{side:>9}" for side in sides)]
    for what, values in rows.items():
        lines.append(f"{what:<32}" + "".join(f"{'-' if value is None else f'{value:.1f}':>9}" for value in values))
    return "\n".join(lines) + "\n"


def median(values: Iterator[float | None]) -> float | None:
    """Return the median of the values that are not None; None if there is none."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def aims(runs: list[Run]) -> list[Aim]:
    found = []
    for name, case in CASES.items():
        now = [run for run in runs if run.case == name and run.side == "now"]
        whole = statistics.median(run.seconds for run in now)
        found.append(Aim(name, f"<= {case.most:g} s", f"{whole:.1f} s", whole <= case.most))
        if case.first is not None:
            first = median(run.first_verdict_s for run in now)
            assert first is not None, "no verdict was printed"
            found.append(Aim(f"{name}: first verdict", f"<= {case.first:g} s", f"{first:.1f} s", first <= case.first))
    return found


if __name__ == "__main__":
    main()
