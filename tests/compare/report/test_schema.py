"""Test that a report does not change when it is written and read, and that verdicts determine its exit code."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from compare.report.schema import SCHEMA, Report
from compare.results.verdicts import VERDICTS
from export.errors import BadInput
from tests.helpers.reports import verdict
from tests.helpers.screens import with_a_decoder


def test_round_trip(report: Report, tmp_path: Path) -> None:
    read = Report.read(report.folder)
    assert read == report
    assert read.folder == report.folder
    assert Report.read(report.folder / "report.json") == read
    plain = json.loads((report.folder / "report.json").read_text())
    assert plain["schema_version"] == SCHEMA
    assert plain["latency"][0]["turns"]["0"]


def test_a_nan_survives_the_round_trip(altered: Report, tmp_path: Path) -> None:
    altered.runtimes[0].gaps[-1] = replace(altered.runtimes[0].gaps[-1], max=float("nan"))
    altered.runtimes[0].verdict = verdict("broken", note="logits has NaN where golden has none")
    altered.write(tmp_path)
    read = Report.read(tmp_path)
    assert read.beyond(read.runtimes[0]) == "broken: logits has NaN where golden has none"
    assert read.exit_code() == 1
    json.loads((tmp_path / "report.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no report at .*report.json; python -m compare --out FOLDER writes one"),
        ("{", "report.json cannot be read: it is not JSON: "),
        (f'{{"schema_version": {SCHEMA}}}', f"is no report of schema {SCHEMA}: created: Field required"),
    ],
)
def test_what_is_no_report(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(BadInput, match=message):
        Report.read(tmp_path)


@pytest.mark.parametrize("kind", VERDICTS)
@pytest.mark.parametrize("fail_on", VERDICTS)
def test_a_run_fails_from_the_verdict_on_that_was_asked_for(altered: Report, kind: str, fail_on: str) -> None:
    altered.runtimes[0].verdict = verdict(kind)
    for other in altered.runtimes[1:]:
        other.verdict = None
    altered.decoding, altered.self_gaps = [], []
    altered.fail_on = fail_on
    assert altered.exit_code() == (VERDICTS.index(kind) >= VERDICTS.index(fail_on))


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"kind": "identical"}, "identical: bit for bit the baseline"),
        (
            {
                "kind": "reduced precision",
                "precision": "bf16",
                "tensor": "query.0",
                "multiple": 88000.0,
                "statistic": "rms",
            },
            "reduced precision (bf16): query.0 is 8.8e+04 x rounding (rms)",
        ),
        ({"kind": "broken", "note": "no logits"}, "broken: no logits"),
    ],
)
def test_verdicts_as_sentences(facts: dict, sentence: str) -> None:
    assert verdict(**facts).sentence == sentence


def test_a_named_runtime_that_only_decodes_and_fails_did_not_run(altered: Report) -> None:
    row = with_a_decoder(altered)
    row.error, row.turns, row.checks = "killed", {}, {}
    assert altered.exit_code() == 0
    row.named = True
    assert altered.exit_code() == 3


def test_lower_precision_counts_only_where_it_was_named(altered: Report) -> None:
    altered.runtimes[1].precision = "bfloat16"
    altered.runtimes[1].verdict = verdict("different")
    assert altered.exit_code() == 0
    altered.runtimes[1].named = True
    assert altered.exit_code() == 1


def test_a_lone_surrogate_survives_the_round_trip_under_its_seal(altered: Report, tmp_path: Path) -> None:
    altered.notes.append("of a\udc80 ü")
    altered.write(tmp_path)
    assert "of a\\udc80 ü" in (tmp_path / "report.json").read_text(encoding="utf-8")
    assert Report.read(tmp_path).notes[-1] == "of a\udc80 ü"


def test_a_report_that_has_changed_is_refused(report: Report, tmp_path: Path) -> None:
    report.model_copy().write(tmp_path)
    file = tmp_path / "report.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["created"] = "2020" + content["created"][4:]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BadInput, match="has changed since it was written"):
        Report.read(tmp_path)
    del content["sha256"]
    file.write_text(json.dumps(content), encoding="utf-8")
    assert Report.read(tmp_path).created == content["created"]
