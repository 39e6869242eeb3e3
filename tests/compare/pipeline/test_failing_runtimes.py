"""Comparisons with runtimes that fail or give wrong numbers: their rows say why, and the others run on."""

from pathlib import Path

import pytest

from compare.pipeline.compare_model import compare
from compare.report.schema import Report
from compare.report.sections import gaps
from compare.runtimes.registry import BASELINE
from tests.helpers.fakes import installed
from tests.helpers.hanging import hangs_time_out_at_once
from tests.helpers.settings import small


@pytest.fixture(scope="module")
def troubled(tiny_folder: Path, site_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A comparison with two runtimes that fail, one that depends on its batch, and one without a fault."""
    said, out = map(tmp_path_factory.mktemp, ("hanging", "troubled"))
    with installed(site_folder), hangs_time_out_at_once(said):
        names = ("crashes", "hangs", "inconsistent", "onnxruntime")
        return compare(str(tiny_folder), small(out, *names, timeout=90.0, thorough=True))


def test_a_runtime_that_depends_on_its_batch_is_seen_in_its_reruns(troubled: Report) -> None:
    row = next(row for row in troubled.self_gaps if row.runtime == "inconsistent")
    assert row.gaps["again"] == 0
    assert row.gaps["batch of 4"] == pytest.approx(1.5, abs=1e-5)
    assert row.missing == {"8 of padding": "ValueError: no padding"} | dict.fromkeys(
        ("first half", "2 threads"), "killed by SIGKILL"
    )
    assert next(row for row in troubled.latency if row.runtime == "inconsistent").error is None


def test_a_runtime_that_fails_where_sequences_are_padded_is_broken_there(troubled: Report) -> None:
    inconsistent = next(runtime for runtime in troubled.runtimes if runtime.name == "inconsistent")
    assert (inconsistent.error, inconsistent.padding.text.kind) == (None, "identical")
    said = "broken where sequences are padded: it ran on the text but not here: ValueError: no padding"
    assert troubled.untrusted == {"inconsistent": said}
    (table,) = gaps.tables(troubled)
    assert next(row for row in table.rows if row[0] == "inconsistent")[-1] == "broken where padded"


def test_runtimes_that_fail_are_rows_and_the_others_go_on(troubled: Report) -> None:
    errors = {runtime.name: runtime.error for runtime in troubled.runtimes}
    assert errors["torch-eager"] is errors["onnxruntime"] is None
    assert errors["crashes"] == "killed by SIGSEGV"
    assert errors["hangs"] == "no answer within 90 s"
    latency = {row.runtime: row for row in troubled.latency}
    assert latency["crashes"].error == latency["hangs"].error == "not timed, because its trace failed"
    assert latency["onnxruntime"].ratio is not None
    assert troubled.exit_code() == 1
    others = [runtime for runtime in troubled.runtimes if runtime.name != "inconsistent"]
    assert troubled.model_copy(update={"runtimes": others}).exit_code() == 3
    assert {path.name for path in (troubled.folder / "logs").iterdir()} >= {"crashes.log", "hangs.log"}


@pytest.fixture(scope="module")
def misleading(tiny_folder: Path, site_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A comparison with runtimes that give wrong results, and two that give nothing to judge."""
    with installed(site_folder):
        names = ("peeks", "notanumber", "discreet", "reticent", "raises", "wrongshape", "quits", "partial")
        out = tmp_path_factory.mktemp("misleading")
        return compare(str(tiny_folder), small(out, *names, fail_on="reduced precision", latency=False))


def test_a_runtime_without_an_output_where_sequences_are_padded_is_broken_there(misleading: Report) -> None:
    found = next(runtime for runtime in misleading.runtimes if runtime.name == "partial")
    assert (found.error, found.padding.text.kind) == (None, "identical")
    assert found.verdict.sentence == "broken where sequences are padded: the run gave no logits"


def alone(report: Report, name: str) -> Report:
    """The report with the baseline and one runtime."""
    rows = [row for row in report.runtimes if row.name in (BASELINE, name)]
    return report.model_copy(update={"runtimes": rows})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("peeks", "different from layer 1, attention on: a probability of 1.0e-03 above the causal diagonal"),
        ("notanumber", "broken: logits has NaN where golden has none"),
    ],
)
def test_a_runtime_with_wrong_numbers_is_named_and_fails_the_run(misleading: Report, name: str, why: str) -> None:
    found = alone(misleading, name)
    assert {r.name: found.beyond(r) for r in found.runtimes} == {BASELINE: None, name: why}
    assert (found.exit_code(), alone(misleading, BASELINE).exit_code()) == (1, 0)


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("raises", "RuntimeError: no kernel for this", 3),
        ("quits", "it ended with exit code 0 and wrote no output", 3),
        ("wrongshape", "logits has shape (1, 12, 300), golden has (1, 13, 300)", 1),  # it ran: a broken model
    ],
)
def test_a_runtime_that_gives_nothing_to_judge_says_why(misleading: Report, name: str, error: str, code: int) -> None:
    found = alone(misleading, name)
    assert found.runtimes[-1].error == error
    assert found.exit_code() == code


@pytest.mark.parametrize(("name", "precision"), [("discreet", "bf16"), ("reticent", "fp16")])
def test_a_lower_precision_is_named_from_the_numbers_alone(misleading: Report, name: str, precision: str) -> None:
    found = alone(misleading, name)
    row = found.runtimes[-1]
    assert row.precision == "float32", "which is what it says of itself"
    assert (row.verdict.kind, row.verdict.precision) == ("reduced precision", precision)
    assert found.exit_code() == 1
    assert found.model_copy(update={"fail_on": "different"}).exit_code() == 0
