"""Write the hand-over marker `.epic5_complete.json`: results of this project for the project that builds on it.

It runs all tests, including the notebook, and one comparison with both exporters, and writes their results with the
commit and the versions. `make handoff` calls it; `benchmarks.handoff_check` checks the marker.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from compare import __all__ as public_functions
from compare import machine
from compare.report.schema import Report
from compare.results.circumstances import ComparedModel
from export.cache import Entry, cache_root, entries, verify

ROOT = Path(__file__).resolve().parent.parent
MARKER = ROOT / ".epic5_complete.json"
NOTEBOOK = Path("notebooks/attention_comparison.ipynb")
SCHEMA = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Model(_Record):
    """The compared model. provenance: where its weights come from. trained: whether the weights are trained."""

    asked_for: str
    name: str
    provenance: str
    trained: bool


class File(_Record):
    """A file: its size in bytes, and its hexadecimal digest."""

    size: int
    sha256: str


class Graphs(_Record):
    """One cache entry. Its files were hashed when the marker was written."""

    entry: str
    exporter: str
    opset: int
    files: dict[str, File]


class Gaps(_Record):
    """One runtime: its largest gaps to golden by kind of tensor, or its error, and its time over the baseline's."""

    largest: dict[str, float]
    ratio: tuple[float, float, float] | None
    error: str | None


class Execution(_Record):
    """The notebook and its last execution, which is one of the tests. seconds: duration of the execution."""

    path: str
    sha256: str
    passed: bool
    seconds: float


class Totals(_Record):
    """The totals of `pytest --nbmake tests notebooks`. seconds: the sum over all tests."""

    total: int
    passed: int
    failed: int
    skipped: int
    seconds: float


class Marker(_Record):
    """The hand-over marker. commit: the commit that all runs used, with "+" if files had changed."""

    schema_version: int = SCHEMA
    created: str
    commit: str | None
    model: Model
    graphs: list[Graphs]
    runtimes: dict[str, Gaps]
    notebook: Execution
    functions: list[str]
    tests: Totals
    versions: dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", nargs="*", default=["tests", "notebooks"], help="what pytest runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        totals, notebook = run_tests(options.tests, Path(scratch) / "tests.xml")
        report = run_comparison(Path(scratch) / "report")
    compared = report.model
    assert compared is not None, "a comparison of a model names it"
    marker = Marker(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=machine.commit(),
        model=Model(**{name: getattr(compared, name) for name in Model.model_fields}),
        graphs=[graphs_of(entry) for entry in entries_of(compared)],
        runtimes=gaps_of(report),
        notebook=notebook,
        functions=[f"compare.{name}" for name in public_functions],
        tests=totals,
        versions={"python": report.environment.python, **report.environment.packages},
    )
    MARKER.write_text(json.dumps(marker.model_dump(), indent=1) + "\n")
    tested = f"{totals.passed} of {totals.total} tests passed"
    print(f"{MARKER.name}: {tested}, {len(marker.runtimes)} runtimes, {compared.provenance}")
    sys.exit(0 if totals.passed == totals.total and notebook.passed else 1)


def run_tests(what: list[str], results: Path) -> tuple[Totals, Execution]:
    """Run the tests and return their totals, which count failures, and the result of the notebook."""
    two_at_a_time = ["--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder"]  # as in `make test`
    command = [sys.executable, "-m", "pytest", "-q", "--nbmake", *two_at_a_time, f"--junitxml={results}", *what]
    subprocess.run(command, cwd=ROOT)
    return read_results(results)


def read_results(results: Path) -> tuple[Totals, Execution]:
    """Read totals and notebook from pytest's JUnit file. Raises `ValueError` if the notebook is not among the tests."""
    cases = list(ElementTree.parse(results).iter("testcase"))
    kinds = [{child.tag for child in case} for case in cases]
    failed = sum(bool(kind & {"failure", "error"}) for kind in kinds)
    skipped = sum("skipped" in kind for kind in kinds)
    seconds = sum(float(case.get("time", 0)) for case in cases)
    totals = Totals(
        total=len(cases),
        passed=len(cases) - failed - skipped,
        failed=failed,
        skipped=skipped,
        seconds=round(seconds, 1),
    )
    notebooks = [(case, kind) for case, kind in zip(cases, kinds, strict=True) if NOTEBOOK.stem in str(case.attrib)]
    if not notebooks:
        raise ValueError(f"{NOTEBOOK} was not among the {len(cases)} tests that ran")
    case, kind = notebooks[0]
    digest = hashlib.sha256((ROOT / NOTEBOOK).read_bytes()).hexdigest()
    passed = not kind & {"failure", "error", "skipped"}
    return totals, Execution(path=str(NOTEBOOK), sha256=digest, passed=passed, seconds=float(case.get("time", 0)))


def run_comparison(out: Path) -> Report:
    """Run one comparison as a user would, with optimum's graph and ours, and return its report."""
    command = [sys.executable, "-m", "compare", "--exporter", "optimum", "--out", str(out)]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    if run.returncode not in (0, 1):  # 1: a runtime is beyond a limit; the marker shows it
        sys.exit(f"python -m compare ended with {run.returncode}")
    return Report.read(out)


def entries_of(model: ComparedModel) -> list[Entry]:
    """Return the newest cache entry of the model for each exporter."""
    found: dict[str, Entry] = {}
    for entry in entries(cache_root()):
        if entry.manifest.source.label == model.provenance:
            found.setdefault(entry.manifest.exporter, entry)
    return list(found.values())


def graphs_of(entry: Entry) -> Graphs:
    """Hash the files of an entry and return it with the digests. Raises `BadInput` if a file has changed."""
    verify(entry)
    files = {name: File(size=record.size, sha256=record.sha256) for name, record in entry.manifest.files.items()}
    manifest = entry.manifest
    return Graphs(entry=entry.folder.name, exporter=manifest.exporter, opset=manifest.opset, files=files)


def gaps_of(report: Report) -> dict[str, Gaps]:
    """Return each runtime's largest gaps, and its time over the baseline's with the 95 % interval."""
    ratios: dict[str, Any] = {row.runtime: row.ratio for row in report.latency if row.ratio and not row.again}
    found = {}
    for runtime in report.runtimes:
        kinds = dict.fromkeys(gap.tensor.partition(".")[0] for gap in runtime.gaps if gap.exposed)
        ratio = ratios.get(runtime.name)
        found[runtime.name] = Gaps(
            largest={kind: value for kind in kinds if (value := runtime.largest(kind)) is not None},
            ratio=(ratio.estimate, ratio.low, ratio.high) if ratio else None,
            error=runtime.error,
        )
    return found


if __name__ == "__main__":
    main()
