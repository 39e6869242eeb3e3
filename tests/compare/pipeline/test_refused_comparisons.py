"""Comparisons that are refused or stopped, with the reason, and without leaving a report."""

import os
import shutil
from pathlib import Path

import pytest

from compare.numerics.process import Numerics
from compare.pipeline import rows
from compare.pipeline.compare_model import compare
from compare.pipeline.setting_checks import check_settings
from compare.pipeline.settings import CheckSettings, Settings
from compare.report.folder import MARKER, is_unfinished
from compare.results.circumstances import Ruler
from compare.runtimes.registry import BASELINE
from compare.runtimes.spec import Spec
from compare.traces import Trace
from export import exporters
from export.cache import Entry
from export.errors import BadInput, CannotRun
from tests.helpers.settings import small


def test_a_named_runtime_that_would_have_no_row_is_refused() -> None:
    """The runtime can load only the deploy graph, so it can be neither compared nor used for decoding."""
    only_deploy = Spec("half", "nowhere:Half", "no row", (), "pip install half", graphs=("deploy",))
    message = r"runtime half can load only deploy, so it can be neither compared nor used for decoding; leave it out"
    with pytest.raises(CannotRun, match=message):
        rows.check_named([only_deploy], ["half"], CheckSettings())
    rows.check_named([only_deploy], [], CheckSettings())


@pytest.mark.parametrize(
    ("checks", "why"),
    [
        (CheckSettings(decode=False), "decoding is off"),
        (CheckSettings(latency=False), "decoding is off because latency is off"),
    ],
)
def test_a_named_runtime_that_only_decodes_is_refused_without_decoding(checks: CheckSettings, why: str) -> None:
    decoder = Spec("steps", "nowhere:Steps", "decodes", (), "pip install steps", graphs=("decode",))
    message = f"runtime steps can load only decode, and {why}, so it would have no row; leave it out"
    with pytest.raises(CannotRun, match=message):
        rows.check_named([decoder], ["steps"], checks)
    rows.check_named([decoder], ["steps"], CheckSettings())
    rows.check_named([decoder], [], checks)
    rows.check_named([decoder], ["all"], checks)


def test_nothing_is_judged_if_the_ruler_does_not_hold(tiny_folder: Path, tmp_path: Path, monkeypatch) -> None:
    real = Numerics.golden

    def broken(self: Numerics) -> tuple[Trace, Ruler]:
        trace, _ = real(self)
        return trace, Ruler(worst=1e-9, tensor="context.1", limit=1e-12)

    monkeypatch.setattr(Numerics, "golden", broken)
    with pytest.raises(
        CannotRun, match=r"the ruler does not hold: .* by 1\.0e-09 of the size of context\.1, limit 1e-12"
    ):
        compare(str(tiny_folder), small(tmp_path / "out", BASELINE, latency=False))
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_changed_byte_in_the_cache_stops_the_run(tiny_folder: Path, entry: Entry, tmp_path: Path) -> None:
    """Size and modification time are unchanged, so only the digest, computed while runtimes load, detects it."""
    settings = small(tmp_path / "out", BASELINE, latency=False, cache_dir=tmp_path / "cache")
    copy = shutil.copytree(entry.folder, tmp_path / "cache" / "models" / entry.folder.name)
    weights = copy / "model.safetensors"
    before = weights.stat().st_mtime_ns
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(before, before))
    with pytest.raises(BadInput, match=r"model\.safetensors has SHA-256 .*: python -m export --remove tiny-"):
        compare(str(tiny_folder), settings)
    assert weights.read_bytes() == bytes(content)
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_golden_run_that_fails_names_its_log(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CannotRun, match=r"the golden run failed: no answer to 'golden' within 0 s; its log is .*golden\.log"
    ):
        compare(str(tiny_folder), small(tmp_path / "out", BASELINE, latency=False, timeout=0.01))


def test_a_named_runtime_that_is_missing_is_refused_before_any_work(fake_runtimes) -> None:
    with pytest.raises(
        CannotRun, match=r"runtime absent needs no_such_package_9 \(not installed\); install with: pip install absent"
    ):
        rows.chosen_runtimes(["absent"])
    assert "absent" in [spec.name for spec in rows.chosen_runtimes(None)]  # unnamed, it is a row


def test_an_exporter_that_is_missing_is_refused_before_any_work(tmp_path: Path, monkeypatch) -> None:
    real = exporters.metadata.distributions
    monkeypatch.setattr(
        exporters.metadata, "distributions", lambda **what: [] if what == {"name": "optimum-onnx"} else real(**what)
    )
    out = tmp_path / "out"
    with pytest.raises(CannotRun, match=r"^the exporter optimum needs optimum-onnx \(not installed\); install with: "):
        compare("byte-gpt2", small(out, BASELINE, exporter="optimum", cache_dir=tmp_path / "cache"))
    assert not out.exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": 0}, "threads is 0; it must be at least 1"),
        ({"batch": -1}, "batch is -1; it must be at least 1"),
        ({"sequence": 0}, "sequence is 0; it must be at least 1"),
        ({"time": 0.0}, "time is 0 seconds; it must be above 0"),
        ({"precision": -0.01}, "precision is -1 %; it must be above 0"),
        ({"time": float("nan")}, "time is nan seconds; it must be above 0"),
        ({"timeout": 0.0}, "timeout is 0 seconds; it must be above 0"),
        ({"max_load": 1.1}, "max_load is 110 %; it must be above 0 % and at most 100 %"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
        ({"text": " "}, "the text is empty"),
        ({"latency": False, "grid": "8x1"}, "grid needs latency, which is off"),
        ({"latency": False, "interference": True}, "interference needs latency, which is off"),
        ({"out": Path("/proc/nowhere")}, "the folder /proc/nowhere cannot be written to: "),
    ],
)
def test_wrong_settings_are_refused_before_any_work(settings, message: str) -> None:
    with pytest.raises(BadInput) as error:
        check_settings(Settings.of(**settings))
    assert message in str(error.value)


def test_somebody_elses_folder_is_left_alone(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "scratch" / "inputs").mkdir(parents=True)
    (tmp_path / "scratch" / "inputs" / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInput, match=r"has 'scratch', which no comparison wrote; set out to a new or an empty"):
        compare(str(tiny_folder), small(tmp_path, BASELINE))
    assert (tmp_path / "scratch" / "inputs" / "thesis.txt").exists()


def test_an_old_report_does_not_outlive_a_run_that_fails(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / MARKER).touch()
    (tmp_path / "report.json").write_text("old")
    with pytest.raises(CannotRun):
        compare(str(tiny_folder), small(tmp_path, BASELINE, latency=False, timeout=0.01))
    assert not (tmp_path / "report.json").exists()
    assert is_unfinished(tmp_path)


def test_a_comparison_that_needs_more_memory_than_there_is_leaves_nothing(
    tiny_folder: Path, entry: Entry, tmp_path: Path
) -> None:
    message = (
        r"an input of 65,536 x 64 tokens needs about [\d,]+\.\d GB of memory, and .* are free; lower batch or sequence"
    )
    with pytest.raises(BadInput, match=message):
        compare(str(tiny_folder), small(tmp_path / "out", BASELINE, text=None, sequence=64, batch=2**16))
    with pytest.raises(BadInput, match=r"of memory, and .* are free; lower what grid asks for"):
        compare(str(tiny_folder), small(tmp_path / "out", BASELINE, text=None, grid="64x65536"))
    assert not (tmp_path / "out").exists()
