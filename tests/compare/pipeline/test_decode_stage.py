"""Tests of decoding in a comparison: which runtimes decode, their rounds, the check of each cache, and the advice."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from compare.latency.decoding import TOKENS, prefills
from compare.latency.series import Role, Series
from compare.latency.statistics import paired_ratio
from compare.pipeline import decode_stage
from compare.pipeline.assemble_latency import decode_part
from compare.pipeline.compare_model import compare
from compare.pipeline.settings import Settings
from compare.report.advice import answer, decode_advice
from compare.report.recommendation import choices
from compare.report.schema import Report
from compare.report.sections import decoding, last_position, rerun
from compare.results.latency import Ratio
from compare.runtimes.registry import BASELINE, BUILT_IN
from tests.helpers.fakes import installed
from tests.helpers.progress import Recorder
from tests.helpers.reports import as_if_quiet, verdict
from tests.helpers.series import series_of

DECODING = [spec for spec in BUILT_IN if spec.default and "decode" in spec.graphs]


def test_every_runtime_that_decodes_has_a_row_and_the_baseline_two(report: Report) -> None:
    installed = [spec.name for spec in DECODING if not spec.missing()]
    missing = [spec.name for spec in DECODING if spec.missing()]
    assert [row.runtime for row in report.decoding] == [BASELINE, *installed, *missing]
    assert [row.again for row in report.decoding] == [place == 1 for place in range(len(report.decoding))]
    for row in report.decoding:
        if row.runtime in missing:
            assert "pip install" in row.error
            continue
        assert row.error is None
        assert list(row.turns) == list(range(report.rounds, report.rounds + report.decode_rounds))
        assert list(row.prefills) == list(row.turns)
        assert all(len(steps) == TOKENS - 1 for steps in row.turns.values())
        assert [len(tokens) for tokens in row.tokens] == [TOKENS]
        assert row.parted is None
        assert row.tokens_per_s > 0
        assert row.first_token_ms > 0
        assert row.of_peak is not None


def test_every_cache_gives_what_one_pass_over_the_text_gives(report: Report) -> None:
    lengths = [str(length) for length in prefills(report.input.sequence)]
    assert len(lengths) >= 2
    for row in report.decoding:
        if row.error is None:
            assert {name: check.kind for name, check in row.checks.items()} == dict.fromkeys(lengths, "rounding")
            assert report.beyond(row) is None
    (table,) = decoding.tables(report)
    assert [cells[-1] for cells in table.rows if not cells[-1].startswith("failed")] == ["rounding"] * (
        len([row for row in report.decoding if row.error is None])
    )


def test_the_last_positions_logits_are_a_row_of_their_own(report: Report) -> None:
    part = report.last
    assert part.runtime == "onnxruntime"
    assert part.gap < 1e-4
    assert list(part.turns) == list(report.latency[0].turns)
    (deploy,) = (row for row in report.latency if row.runtime == part.runtime)
    assert deploy.turns != part.turns
    expected = paired_ratio(part.turns, deploy.turns, report.seed)
    assert part.to_deploy.estimate == pytest.approx(expected.estimate)
    assert "Less work" in last_position.tables(report)[0].title


def test_a_process_that_ended_after_the_rounds_is_started_again_for_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """For example, one that hung in a rerun. A runtime that failed in the forward passes is not started again."""
    names = ("torch-eager", "torch-sdpa", "onnxruntime")

    class Process:
        def __init__(self, name: str, *, ended: bool) -> None:
            self.name, self.ended = name, ended

        def end(self) -> None:
            self.ended = True

    going_on, hung, failed = (Process(name, ended=name != "torch-eager") for name in names)
    started = [
        Series(going_on, Role.BASELINE, "deploy"),  # type: ignore[arg-type]
        Series(hung, Role.RUNTIME, "deploy"),  # type: ignore[arg-type]
        Series(failed, Role.RUNTIME, "deploy", error="no kernel"),  # type: ignore[arg-type]
    ]

    def start_decoder(run: object, row: SimpleNamespace, role: Role) -> SimpleNamespace:
        return SimpleNamespace(runtime=row.name, role=role, process=None, decodes=True, import_libraries=lambda: None)

    monkeypatch.setattr(decode_stage, "start_decoder", start_decoder)
    rows = [SimpleNamespace(name=name, is_baseline=name == BASELINE, ready=True) for name in names]
    found = decode_stage.decoders_of(SimpleNamespace(decoders=rows), started)  # type: ignore[arg-type]
    new = {(each.runtime, each.role) for each in found if each.process is None}
    assert new == {("torch-eager", Role.CONTROL), ("torch-sdpa", Role.RUNTIME)}
    assert next(each for each in found if each.runtime == "onnxruntime").error == "no kernel"


def test_a_cache_that_is_too_slow_is_checked_with_one_prefill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def follow(prefill: int, steps: int) -> None:
        asked.append((prefill, steps))
        (tmp_path / f"follow-{prefill}").mkdir()

    monkeypatch.setattr(decode_stage, "output_verdict", lambda *_: verdict("rounding"))
    monkeypatch.setattr(decode_stage, "Trace", lambda folder: folder)
    run = SimpleNamespace(
        inputs=SimpleNamespace(input_ids=np.zeros((1, 64), np.int64)),
        checks=SimpleNamespace(thorough=True),
        progress=Recorder(),
        self_folder=lambda _: tmp_path,
    )
    for too_slow, expected in ((False, [(1, 128), (16, 16), (32, 16)]), (True, [(32, 128)])):
        series = series_of("torch-fp16", decodes=True, too_slow=too_slow)
        series.process.follow = follow  # type: ignore[method-assign, assignment]
        found = decode_stage.check(run, series, SimpleNamespace())  # type: ignore[arg-type]
        assert asked == expected
        assert [int(prefill) for prefill in found] == [prefill for prefill, _ in expected]
        asked.clear()


@pytest.fixture(scope="module")
def faulty(tiny_folder: Path, site_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """A comparison with two decoders that are wrong from some step on: by a wrong position, and by a stale past.

    A third runtime is right with every tap exposed, and wrong when it is timed.
    """
    with installed(site_folder):
        names = ["ahead", "stale", "twofaced", "onnxruntime"]
        out = tmp_path_factory.mktemp("faulty")
        settings = Settings.of(text="To be, or not to be.", runtimes=names, time=0.2, min_rounds=6, threads=1, out=out)
        return compare(str(tiny_folder), settings)


@pytest.mark.parametrize("name", ["ahead", "stale"])
def test_a_cache_that_is_wrong_is_seen_though_the_forward_pass_is_right(faulty: Report, name: str) -> None:
    assert next(runtime for runtime in faulty.runtimes if runtime.name == name).verdict.kind in (
        "rounding",
        "identical",
    )
    row = next(row for row in faulty.decoding if row.runtime == name)
    assert {check.kind for check in row.checks.values()} == {"different"}
    assert faulty.exit_code() == 1
    said = decoding.sentences(faulty)
    assert sum(line.startswith(f"{name} decodes wrongly after a prefill of ") for line in said) == len(row.checks)
    assert next(cells for cells in decoding.tables(faulty)[0].rows if cells[0] == name)[-1] == "different!"


def test_a_run_that_is_not_thorough_makes_one_rerun_and_one_check(faulty: Report) -> None:
    assert {frozenset(row.gaps) - {"torch-eager"} for row in faulty.self_gaps} == {frozenset({"again"})}
    assert [row.missing for row in faulty.self_gaps] == [{}] * len(faulty.self_gaps)
    assert {tuple(row.checks) for row in faulty.decoding if not row.again} == {("16",)}


def test_a_cache_that_is_wrong_has_no_place_in_the_advice(faulty: Report) -> None:
    altered = as_if_quiet(faulty)
    altered.decoding[1].ratio = Ratio(estimate=1, low=0.99, high=1.01)
    for row in altered.decoding[2:]:
        low = 0.1 if row.runtime in ("ahead", "stale") else 0.5
        row.ratio = Ratio(estimate=low, low=low, high=low)
    (said,) = decode_advice(altered)
    assert said.startswith("To generate, deploy onnxruntime: a step is 2 times as fast as torch-eager's")
    assert said in answer(altered)
    for row in altered.decoding[1:]:
        row.ratio = Ratio(estimate=0.97, low=0.9, high=1.05)
    (said,) = decode_advice(altered)
    assert said.startswith("To generate, no runtime is measurably faster than torch-eager")


def test_what_is_as_fast_to_generate_with_as_the_fastest_is_named(faulty: Report) -> None:
    altered = as_if_quiet(faulty)
    best = next(row for row in altered.decoding if row.runtime == "onnxruntime")
    best.ratio = Ratio(estimate=0.5, low=0.48, high=0.52)
    times = {"near": (0.55, 0.51, 0.58), "far": (0.6, 0.53, 0.7)}
    altered.decoding += [
        replace(best, runtime=name, ratio=Ratio(estimate=estimate, low=low, high=high))
        for name, (estimate, low, high) in times.items()
    ]
    assert decode_advice(altered)[1:] == ["Not measurably slower than it per step: near (0.550 [0.510, 0.580])."]


def test_a_runtime_that_is_wrong_as_it_is_timed_is_seen_though_its_taps_are_right(faulty: Report) -> None:
    assert next(runtime for runtime in faulty.runtimes if runtime.name == "twofaced").verdict.kind == "identical"
    kinds = {row.runtime: row.verdict.kind for row in faulty.self_gaps}
    assert kinds.pop("twofaced") == "different"
    assert set(kinds.values()) == {"rounding"}
    assert faulty.untrusted.keys() == {"twofaced"}
    assert any(
        line.startswith("twofaced is NOT to be trusted: as it was timed, it is different") for line in answer(faulty)
    )
    assert {choice.name for choice in choices(faulty) if not choice.trusted} == {"twofaced"}
    assert next(cells for cells in rerun.tables(faulty)[0].rows if cells[0] == "twofaced")[-1] == "different!"


def test_a_row_stands_alone_where_the_baseline_did_not_decode() -> None:
    baseline = series_of(BASELINE, Role.BASELINE, decodes=True, error="killed by SIGKILL")
    other = series_of("other", decodes=True, turns={0: [5, 7]}, prefills={0: [8]}, tokens=[[1, 2, 3]])
    part = decode_part(other, baseline, seed=0, checks={})
    assert (part.ratio, part.first_token, part.parted) == (None, None, None)
    assert part.tokens_per_s == pytest.approx(3 / 20e-9)
    assert decode_part(baseline, baseline, seed=0, checks={}).error == "killed by SIGKILL"


def test_tokens_are_compared_where_the_weights_mean_something(faulty: Report) -> None:
    altered = as_if_quiet(faulty)
    altered.model.trained = True
    graph = next(row for row in altered.decoding if row.runtime == "onnxruntime")
    graph.parted = 3
    lines = decoding.sentences(altered)
    assert "onnxruntime and torch-eager generate the same first 3 tokens." in lines
    graph.parted = 0
    lines = decoding.sentences(altered)
    assert "onnxruntime and torch-eager generate different tokens from the first one on." in lines
    altered.decoding[0].tokens = []  # every turn of the baseline was disturbed
    assert not any("generate" in line for line in decoding.sentences(altered))
    altered.model.trained = False
    assert not any("generate" in line for line in decoding.sentences(altered))
