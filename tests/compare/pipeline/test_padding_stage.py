"""Test which of the verdicts on the text and on the padded input is kept, and its sentence."""

from dataclasses import replace

import numpy as np
import pytest

from compare.numerics.padded_verdicts import padded_verdict, worse
from compare.numerics.padding import COUNTED, IGNORED, ONE_OFF, WRONG_SIDE, Cause, readings
from compare.rejudge import rejudge
from compare.report.schema import Report
from compare.report.sections import explanation, gaps, padding
from compare.results.runtimes import PaddedResult
from compare.results.verdicts import Verdict
from compare.runtimes.registry import spec_of


def verdict(kind: str, **facts) -> Verdict:
    plain = {"tensor": "context.1", "place": "layer 1, attention", "statistic": "rms", "multiple": 9.0}
    return Verdict(kind=kind, **plain | facts)


@pytest.mark.parametrize(
    ("text", "padded", "chosen"),
    [
        ("identical", "identical", "text"),
        ("identical", "rounding", "padded"),
        ("rounding", "rounding", "text"),
        ("rounding", "different", "padded"),
        ("different", "different", "text"),
        ("different", "broken", "padded"),
        ("reduced precision", "different", "text"),
    ],
)
def test_the_worse_verdict_is_the_rows(text: str, padded: str, chosen: str) -> None:
    part = PaddedResult(text=verdict(text), verdict=verdict(padded, padded="where sequences are padded"))
    assert worse(part) is (part.text if chosen == "text" else part.verdict)


@pytest.mark.parametrize("facts", [{"cause": IGNORED}, {"multiple": None, "note": "probability of 2.0e-01 on padding"}])
def test_of_a_lower_precision_a_named_cause_counts(facts: dict[str, str | None]) -> None:
    part = PaddedResult(text=verdict("reduced precision"), verdict=verdict("different", **facts))
    assert worse(part) is part.verdict


def test_a_row_without_a_padded_run_keeps_its_verdict() -> None:
    part = PaddedResult(text=verdict("rounding"), skipped="has no input attention_mask")
    assert worse(part) is part.text


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (Cause(IGNORED, ["left"]), " on the left: it ignores the attention mask, from "),
        (Cause(WRONG_SIDE, ["left", "right"]), ": it applies the attention mask on the wrong side, from "),
        (Cause("", ["right"]), " on the right, from "),
        (Cause(), ", from "),
    ],
)
def test_the_sentence_says_where_and_why(cause: Cause, said: str) -> None:
    found = padded_verdict(verdict("different", multiple=57.3), cause)
    after = "layer 1, attention on: context.1 is 57 x rounding (rms)"
    assert found.sentence == f"different where sequences are padded{said}{after}"


def test_verdicts_on_the_padded_input_that_are_not_different() -> None:
    broken = padded_verdict(Verdict(kind="broken", note="no padding"), Cause())
    assert broken.sentence == "broken where sequences are padded: no padding"
    same = padded_verdict(
        Verdict(kind="rounding", tensor="logits", statistic="max", multiple=0.5), Cause(COUNTED, ["left"])
    )
    assert same.sentence.startswith("same model where sequences are padded on the left: nowhere more than 0.5 x")
    assert same.cause == ""


def test_every_reading_is_another_one_and_the_true_one_is_not_among_them() -> None:
    mask = np.array([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [1, 1, 1, 0, 0]])
    found = list(readings(mask))
    assert {reading.words for reading in found} == {IGNORED, COUNTED, WRONG_SIDE, ONE_OFF}
    assert found[0].words == COUNTED and found[0].positions.tolist() == [[0, 1, 2, 3, 4]] * 3
    for reading in found:
        assert reading.words == COUNTED or not np.array_equal(reading.mask, mask)
        assert reading.mask.shape == reading.positions.shape == mask.shape


def test_each_runtime_was_judged_where_sequences_are_padded(report: Report) -> None:
    assert report.input.padded is not None
    assert (report.input.padded.longest, report.input.padded.shortest) == (12, 7)
    installed = [runtime for runtime in report.runtimes if not spec_of(runtime.name).missing()]
    assert len(installed) >= 5
    for runtime in installed:
        part = runtime.padding
        assert part is not None and part.verdict is not None
        assert {part.text.kind, part.verdict.kind} <= {"rounding", "identical"}
        assert all(found.padding == found.above == 0 for found in part.evidence.values())
    said = "on 12 and 7 bytes of it, padded to 12 on the left and on the right."
    assert any(line.endswith(said) for line in padding.sentences(report))


def test_what_was_found_there_is_judged_again_and_explained(altered: Report) -> None:
    row = next(runtime for runtime in altered.runtimes if runtime.name == "onnxruntime")
    assert row.padding is not None
    row.padding.cause, row.padding.sides = IGNORED, ["left"]
    known = row.padding.evidence["context.1"]
    assert known.local is not None
    row.padding.evidence["context.1"] = replace(known, local=replace(known.local, rms=3.0))

    def judged(rounding: float) -> Verdict:
        found = next(r.verdict for r in rejudge(altered, rounding).runtimes if r.name == "onnxruntime")
        assert found is not None
        return found

    assert judged(4.0).kind == "rounding" and judged(4.0).padded == ""
    assert judged(2.0).sentence == (
        "different where sequences are padded on the left: it ignores the attention mask, from layer 1, attention on: "
        "context.1 is 3 x rounding (rms)"
    )
    again = rejudge(altered, 2.0)
    text, padded, _ = explanation.tables(again, "onnxruntime")
    assert padded.title.startswith("onnxruntime: different where sequences are padded on the left: it ignores")
    assert [cells[0] for cells in padded.rows if cells[0].endswith("<-")] == ["context.1 <-"]
    assert "same model" in text.title
    assert next(cells for cells in gaps.tables(again)[0].rows if cells[0] == "onnxruntime")[-1] == (
        "different where padded: ignores the attention mask"
    )
    assert again.exit_code() == 1


def test_what_the_row_does_not_say_is_said_below(altered: Report) -> None:
    row = next(runtime for runtime in altered.runtimes if runtime.name == "onnxruntime")
    assert row.padding is not None and row.padding.verdict is not None
    row.padding.cause = COUNTED
    why = "which rotates queries and keys by the same angle, so no other tensor changes."
    assert f"{row.name} counts padding as positions, {why}" in padding.sentences(altered)
    row.padding.verdict = verdict("different", padded="where sequences are padded")
    row.verdict = verdict("different")
    assert f"{row.name} is {row.padding.verdict.sentence}." in padding.sentences(altered)
    row.padding = PaddedResult(text=row.verdict, skipped="has no input attention_mask")
    assert f"{row.name} has no input attention_mask, so it is judged on the text alone." in padding.sentences(altered)
