"""Fixtures: fake runtimes, and one small comparison that many tests read."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.helpers import fakes
from tests.helpers.hanging import hangs_time_out_at_once
from tests.helpers.reports import COMPARED_TEXT, as_if_quiet
from tests.helpers.screens import as_default_run


@pytest.fixture(scope="session", autouse=True)
def count_every_turn() -> Iterator[None]:
    """Count every turn, because other tests make the machine busy."""
    from compare.latency import disturbance

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disturbance, "MAX_LOAD", 1.0)
        yield


@pytest.fixture
def fake_runtimes(site_folder: Path) -> Iterator[None]:
    """Install the runtimes of `fakes`, for this process and child processes."""
    with fakes.installed(site_folder):
        yield


@pytest.fixture
def hangs_time_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let waiting for a hanging child time out at once."""
    with hangs_time_out_at_once(tmp_path_factory.mktemp("hanging")):
        yield


@pytest.fixture
def spec(name: str):
    """Return the runtime of that name, and skip the test if it is not installed."""
    from compare.runtimes.registry import spec_of

    spec = spec_of(name)
    if missing := spec.missing():
        pytest.skip(f"{', '.join(missing)} not installed")
    return spec


@pytest.fixture
def job(entry, ids_and_mask, tmp_path: Path) -> dict[str, object]:
    """The job of a worker process for the tiny GPT-2, without its runtime."""
    from compare.traces import write_trace

    write_trace(tmp_path / "inputs", {"input_ids": ids_and_mask[0], "attention_mask": ids_and_mask[1]})
    folders = {"inputs": tmp_path / "inputs", "variants": tmp_path / "variants", "out": tmp_path / "self"}
    return {"model": entry.folder, "positions": entry.manifest.model["positions"], **folders}


@pytest.fixture
def make(job, tmp_path: Path):
    """A function that makes a series with its own process, as a comparison does. All processes end after the test."""
    from compare.latency.machine_limits import limit_or_runtime
    from compare.latency.series import Role, Series
    from compare.latency.worker_process import WorkerProcess

    made: list[Series] = []

    def series(runtime: str, role: Role = Role.RUNTIME, timeout: float = 120.0, **more) -> Series:
        full, log = {**job, "runtime": runtime}, tmp_path / "logs" / f"{len(made)}.log"
        more = {"libraries": limit_or_runtime(runtime).libraries} | more
        process = WorkerProcess(runtime, full, threads=1, log=log, timeout=timeout, **more)
        made.append(Series(process, role, role.graph))
        return made[-1]

    yield series
    for one in made:
        one.process.end()


@pytest.fixture(scope="session")
def report(entry, tiny_folder: Path, shared_folder: Path):
    """The report of a comparison of the tiny GPT-2 across all built-in runtimes, with its traces.

    All pytest-xdist workers share it: the first one makes it, and the others wait and read it.
    """
    from compare.pipeline.compare_model import compare
    from compare.pipeline.settings import Settings
    from compare.report.schema import Report

    out = shared_folder / "report"
    settings = Settings.of(
        text=COMPARED_TEXT, time=0.5, min_rounds=6, threads=1, out=out, keep_traces=True, thorough=True
    )
    with FileLock(shared_folder / "report.lock"):
        if not (out / "report.json").is_file():
            compare(str(tiny_folder), settings)
    return Report.read(out)


@pytest.fixture
def altered(report):
    """A copy of the report that a test may change, with times as on a quiet machine."""
    return as_if_quiet(report)


@pytest.fixture
def own_report(report, tmp_path: Path):
    """The report in a folder of its own, into which a test may write: all workers share the other one."""
    from compare.report.schema import Report

    folder = shutil.copytree(report.folder, tmp_path / "own", ignore=shutil.ignore_patterns("scratch"))
    return Report.read(folder)


@pytest.fixture
def default_run(altered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A report as of a default run with random weights, the newest in the cache, which is in the working folder."""
    monkeypatch.setenv("ONNX_ATTENTION_COMPARE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return as_default_run(altered, tmp_path / "cache" / "reports" / "20261126-181645-distilgpt2-seeded")


@pytest.fixture(scope="session")
def scales(tmp_path_factory: pytest.TempPathFactory):
    """Golden and floors of byte-gpt2 on 48 bytes."""
    import numpy as np

    from compare.numerics.replay import profile_of
    from compare.numerics.weigher import Scales
    from compare.pipeline.inputs import DEFAULT_TEXT
    from compare.traces import write_trace
    from export.models import load
    from export.sources import SHIPPED, find
    from export.taps import tap_names

    folder = tmp_path_factory.mktemp("scales")
    ids = np.array([load(find("byte-gpt2")).tokenizer(DEFAULT_TEXT.read_text())["input_ids"][:48]])
    write_trace(folder / "inputs", {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    scales = Scales(SHIPPED, folder / "inputs", folder / "golden")
    assert scales.make_golden().holds
    names, distinct = scales.make_floors(profile_of(tap_names(4)))
    assert distinct == len(names)
    return scales
