"""Test that runtimes with an alarm are traced again, that faults keep their verdict, and others are unsteady."""

from pathlib import Path
from typing import Any

import pytest

from compare.diff.compare import verdict_change
from compare.numerics.several_runs import agreed, is_alarm
from compare.pipeline.compare_model import compare
from compare.pipeline.second_look import RUNS
from compare.pipeline.settings import Settings
from compare.rejudge import rejudge
from compare.report.advice import advice, answer
from compare.report.render.markdown import to_markdown
from compare.report.schema import Report
from compare.report.sections import gaps
from compare.results.latency import Ratio
from compare.results.runtimes import OnnxGraph, RuntimeResult
from compare.results.verdicts import Verdict
from tests.helpers.fakes import installed
from tests.helpers.progress import Recorder

#: A report, its progress messages, and the number of starts of each runtime that counts them.
Looked = tuple[Report, list[str], dict[str, int]]

COUNTED = "different in 1 of 3 runs, first at layer 0, attention; otherwise identical"


def verdict(kind: str, tensor: str | None = None, place: str = "", note: str = "") -> Verdict:
    facts: Any = {"kind": kind, "tensor": tensor, "place": place, "note": note}
    return Verdict(**facts)


def runtime(precision: str = "float32", **graph: list[str]) -> RuntimeResult:
    lists: Any = {"fed": [], "unmatched": [], "quantized": [], "halves": [], **graph}
    held = OnnxGraph(file="a.onnx", bytes=1, sha256="0", opset=20, **lists) if graph else None
    return RuntimeResult(name="x", precision=precision, hybrid=False, named=True, graph=held)


ATTENTION, MLP = ("context.0", "layer 0, attention"), ("hidden_state.2", "layer 1, norm and MLP")
OFF, ELSEWHERE, FINE = verdict("different", *ATTENTION), verdict("different", *MLP), verdict("rounding", *MLP)
LOWER, NAN = verdict("reduced precision", *ATTENTION), verdict("broken", note="logits has NaN where golden has none")


@pytest.mark.parametrize(
    ("runs", "kind", "note"),
    [
        ([OFF, OFF, OFF], "different", ""),
        ([NAN, NAN, NAN], "broken", NAN.note),
        ([LOWER, LOWER, LOWER], "reduced precision", ""),
        ([OFF, FINE, FINE], "unsteady", "different in 1 of 3 runs, first at layer 0, attention; otherwise rounding"),
        (
            [OFF, FINE, verdict("identical")],
            "unsteady",
            "different in 1 of 3 runs, first at layer 0, attention; otherwise rounding or identical",
        ),
        ([NAN, FINE, NAN], "unsteady", "broken in 2 of 3 runs; otherwise rounding"),
        (
            [LOWER, LOWER, OFF],
            "unsteady",
            "different in 1 of 3 runs, first at layer 0, attention; "
            "reduced precision in 2 of 3 runs, first at layer 0, attention",
        ),
        (
            [OFF, OFF, ELSEWHERE],
            "different",
            "different in 2 of 3 runs, first at layer 0, attention; "
            "different in 1 of 3 runs, first at layer 1, norm and MLP",
        ),
        (
            [NAN, OFF, NAN],
            "different",
            "broken in 2 of 3 runs; different in 1 of 3 runs, first at layer 0, attention",
        ),
    ],
)
def test_runs_that_agree_keep_their_verdict(runs: list[Verdict], kind: str, note: str) -> None:
    """A runtime that is different or worse in every run is not called unsteady, which would pass by default."""
    found = agreed(runs)
    assert (found.kind, found.note, found.runs) == (kind, note, runs)


@pytest.mark.parametrize(
    ("kind", "of", "alarm"),
    [
        ("rounding", runtime(), False),
        ("identical", runtime(), False),
        ("different", runtime("bf16"), True),
        ("broken", runtime("bf16"), True),
        ("reduced precision", runtime(), True),
        ("reduced precision", runtime("bf16"), False),
        ("reduced precision", runtime(unmatched=["x"]), True),
        ("reduced precision", runtime(quantized=["MatMulInteger"]), False),
        ("reduced precision", runtime(halves=["float16"]), False),
    ],
)
def test_an_alarm_is_a_verdict_that_was_not_asked_for(kind: str, of: RuntimeResult, alarm: bool) -> None:
    assert is_alarm(verdict(kind), of) is alarm


@pytest.fixture(scope="module")
def looked(tiny_folder: Path, entry: Any, site_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    """A comparison with two runtimes that are wrong only in some runs, and two that are the same in every run."""
    out, said = tmp_path_factory.mktemp("out"), Recorder()
    names = ("wavers", "brittle", "peeks", "lowers")
    with installed(site_folder):
        asked = Settings.of(text="To be, or not", runtimes=names, threads=1, latency=False, out=out)
        compare(str(tiny_folder), asked, said)
        starts = {path.stem: len(path.read_text().splitlines()) for path in site_folder.glob("*.starts")}
    return Report.read(out), said.texts("stage", "waits"), starts


def row(report: Report, name: str) -> RuntimeResult:
    return next(each for each in report.runtimes if each.name == name)


def test_a_runtime_that_is_off_in_one_process_is_unsteady(looked: Looked) -> None:
    report, said, _ = looked
    found = row(report, "wavers")
    assert found.verdict is not None
    assert found.verdict.sentence == f"unsteady: {COUNTED}"
    assert [run.kind for run in found.verdict.runs] == ["different", "identical", "identical"]
    assert [len(further.evidence) for further in found.again] == [len(found.gaps)] * 2
    assert "second look: wavers is different, so it is traced again in 2 fresh processes" in said
    assert f"wavers: unsteady: {COUNTED}" in said


def test_an_unsteady_runtime_fails_a_run_only_where_that_was_asked_for(looked: Looked) -> None:
    report, _, _ = looked
    alone = report.model_copy(update={"runtimes": [report.runtimes[0], row(report, "wavers")]})
    assert alone.exit_code() == 0
    assert alone.model_copy(update={"fail_on": "unsteady"}).exit_code() == 1
    assert f"wavers is unsteady: {COUNTED}." in answer(alone)
    assert any(line.startswith("1 of 2 runtimes compute the same model") for line in answer(alone))
    failed = answer(alone.model_copy(update={"fail_on": "unsteady"}))
    assert failed[0] == f"wavers is NOT to be trusted: unsteady: {COUNTED}."


def test_every_run_is_in_the_report(looked: Looked) -> None:
    report, _, _ = looked
    shown = to_markdown(report)
    for number, words in enumerate(("different from layer 0, attention on", "identical", "identical"), start=1):
        assert f"wavers, run {number}  {words}" in shown
    cells = {cells[0]: cells[-1] for cells in gaps.tables(report)[0].rows}
    assert cells["wavers"] == "unsteady: layer 0, attention"


def test_a_fault_is_found_in_every_run(looked: Looked) -> None:
    report, _, _ = looked
    found = row(report, "peeks").verdict
    assert found is not None
    assert found.sentence == "different from layer 1, attention on: a probability of 1.0e-03 above the causal diagonal"
    assert [run.kind for run in found.runs] == ["different"] * RUNS
    assert report.exit_code() == 1


def test_a_run_that_crashes_counts_as_broken(looked: Looked) -> None:
    report, _, _ = looked
    found = row(report, "brittle")
    assert found.verdict is not None
    first = "different in 1 of 3 runs, first at layer 0, attention"
    assert found.verdict.sentence == f"unsteady: broken in 1 of 3 runs; {first}; otherwise identical"
    assert [run.sentence for run in found.verdict.runs][1] == "broken: killed by SIGSEGV"
    assert [bool(further.evidence) for further in found.again] == [False, True]


def test_without_an_alarm_nothing_is_traced_again(looked: Looked, report: Report) -> None:
    found, said, starts = looked
    assert starts == {"Wavers": RUNS, "Brittle": RUNS}
    lowered = row(found, "lowers")
    assert lowered.verdict is not None
    assert (lowered.verdict.kind, lowered.verdict.runs, lowered.again) == ("reduced precision", [], [])
    looks = [line.split()[2] for line in said if line.startswith("second look: ")]
    assert looks == ["wavers", "brittle", "peeks"]
    assert all(each.again == [] for each in report.runtimes)
    assert "second look" in found.phases
    assert "second look" not in report.phases


def test_other_limits_judge_every_run_again(looked: Looked) -> None:
    report, _, _ = looked
    same, looser, tighter = (row(rejudge(report, floors), "wavers").verdict for floors in (2.0, 1e6, 1e-3))
    assert same == row(report, "wavers").verdict
    assert looser is not None and (looser.kind, looser.runs) == ("rounding", [])
    assert tighter is not None
    assert [run.kind for run in tighter.runs] == ["different", "identical", "identical"]
    crashed = row(rejudge(report, 2.0), "brittle").verdict
    assert crashed == row(report, "brittle").verdict


def test_an_unsteady_runtime_is_never_advised_without_a_word(altered: Report) -> None:
    fastest = altered.latency[-1]
    for each in altered.latency[1:]:
        each.ratio = Ratio(
            estimate=0.1 if each is fastest else 1.0,
            low=0.1 if each is fastest else 0.9,
            high=0.11 if each is fastest else 1.1,
        )
    runs = agreed([OFF, FINE, FINE])
    row(altered, fastest.runtime).verdict = runs
    said = advice(altered)
    assert said[0].startswith(f"Deploy {fastest.runtime}: ")
    assert said[1] == f"Before you deploy {fastest.runtime}, find out why it is {runs.sentence}."
    altered.fail_on = "unsteady"
    assert not any(line.startswith(f"Deploy {fastest.runtime}") for line in advice(altered))


def test_a_rival_that_is_unsteady_is_named_with_a_word(altered: Report) -> None:
    steady, wavering = altered.latency[2], altered.latency[3]
    for place, each in enumerate((steady, wavering)):
        each.ratio = Ratio(estimate=0.5 + place / 100, low=0.4, high=0.6)
    for each in altered.latency[4:]:
        each.ratio = Ratio(estimate=1.0, low=0.9, high=1.1)
    row(altered, wavering.runtime).verdict = agreed([OFF, FINE, FINE])
    said = advice(altered)
    assert said[0].startswith(f"Deploy {steady.runtime}: ")
    assert any(line.startswith(f"Before you deploy {wavering.runtime}, find out why it is unsteady: ") for line in said)


def test_a_difference_of_two_reports_knows_unsteady() -> None:
    assert verdict_change("rounding", "unsteady") == "worse"
    assert verdict_change("different", "unsteady") == "better"
