"""Test runtimes of other packages: two packages are installed, one with a runtime, one with broken entry points."""

import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from compare.pipeline.rows import chosen_runtimes
from compare.report.schema import Report
from compare.runtimes.registry import BASELINE, BUILT_IN, ENTRY_POINTS, listing, spec_of
from export.errors import CannotRun
from export.taps import tap_names
from tests.helpers.commands import command
from tests.helpers.packages import BROKEN, EXAMPLE, TESTS, install

RAISED = "ImportError: libkernels.so.9 cannot be opened"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which both packages are installed."""
    folder = tmp_path_factory.mktemp("site")
    install(folder, EXAMPLE, BROKEN)
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both packages are installed for this process."""
    monkeypatch.syspath_prepend(str(site))
    listing.cache_clear()
    yield
    listing.cache_clear()


def test_entry_points_are_read_and_one_that_is_broken_keeps_its_error(installed: None) -> None:
    found = listing()
    assert list(found.specs) == [*(spec.name for spec in BUILT_IN), "example"]
    assert set(found.broken) == {"raises", "odd"}
    assert found.broken["raises"] == RAISED
    assert found.broken["odd"] == "TypeError: broken_specs:ODD is a str, not a compare.runtimes.spec.Spec"
    assert found.specs[BASELINE].target == "compare.runtimes.torch_runtimes:TorchEager"
    with pytest.raises(CannotRun, match=f"runtime raises is broken: {RAISED}; report this to the authors"):
        spec_of("raises")


def test_a_broken_entry_point_does_not_hide_a_built_in_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint(BASELINE, "no_such_module:SPEC", ENTRY_POINTS)
    monkeypatch.setattr(metadata, "entry_points", lambda **_: [point])
    listing.cache_clear()
    try:
        assert BASELINE in listing().broken
        assert spec_of(BASELINE).target == "compare.runtimes.torch_runtimes:TorchEager"
    finally:
        listing.cache_clear()


def test_a_runtime_of_another_package_runs_by_default(installed: None) -> None:
    assert chosen_runtimes(None)[-1].name == "example"


def test_the_command_lists_it_and_says_what_is_broken(site: Path) -> None:
    run = command("runtimes", PYTHONPATH=str(site))
    assert run.returncode == 0, run.stderr
    rows = {line.split()[0]: line.split() for line in run.stdout.splitlines() if line}
    version = metadata.version("onnxruntime")
    assert rows["example"] == ["example", "ONNX", "Runtime", version, "float32", "every", "tap", "–"]
    assert f"raises is broken: {RAISED}\n" in run.stdout
    assert "odd is broken: TypeError: " in run.stdout
    assert "onnxruntime" in rows
    assert run.stdout.rstrip().endswith(", example.")  # the runtimes that run without --runtimes


@pytest.mark.slow
def test_it_is_compared_like_any_other(site: Path, tmp_path: Path) -> None:
    options = ["--model", "byte-gpt2", "--quick", "--time", "1", "--no-decode", "--max-load", "100"]
    run = command(*options, "--runtimes", "example", "--out", tmp_path, PYTHONPATH=str(site))
    assert run.returncode == 0, run.stderr
    report = Report.read(tmp_path)
    assert [runtime.name for runtime in report.runtimes] == [BASELINE, "example"]
    example = report.runtimes[-1]
    assert (example.error, example.verdict.kind) == (None, "rounding")
    assert [gap.tensor for gap in example.gaps if gap.exposed] == tap_names(4)
    timed = report.latency[-1]
    assert (timed.runtime, timed.error) == ("example", None)
    assert timed.ratio is not None


def test_a_broken_one_that_is_named_is_refused(site: Path) -> None:
    run = command("--model", "byte-gpt2", "--runtimes", "raises", PYTHONPATH=str(site))
    assert (run.returncode, run.stdout) == (3, "")
    assert run.stderr == f"error: runtime raises is broken: {RAISED}; report this to the authors of its package\n"


def test_the_docs_show_the_example() -> None:
    docs = (TESTS.parent / "docs" / "own-runtime.md").read_text()
    assert f"```python\n{(EXAMPLE / 'example_runtime.py').read_text()}```\n" in docs
    points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"][ENTRY_POINTS]
    lines = [f'[project.entry-points."{ENTRY_POINTS}"]', *(f'{name} = "{value}"' for name, value in points.items())]
    assert "```toml\n" + "\n".join(lines) + "\n```\n" in docs
