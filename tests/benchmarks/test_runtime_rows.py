"""Tests of the table of runtimes: which ratios it shows, what counts as made, and runtimes that did not run."""

from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.runtime_rows import faults, made, row_of, table
from benchmarks.runtimes import aims
from compare.report.formatting import NOTHING
from compare.results.latency import DecodeRow, LatencyRow, Ratio
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict
from compare.runtimes.registry import spec_of

ROUNDS = {number: [10**8] for number in range(6)}
KNOWN, UNKNOWN = Ratio(estimate=0.5, low=0.49, high=0.51), Ratio(estimate=36.0, low=0.0, high=inf)


def timed(name: str, ratio: Ratio | None, **more: Any) -> LatencyRow:
    facts: dict[str, Any] = {
        "turns": ROUNDS,
        "median_ms": 100.0,
        "first_call_s": 0.3,
        "load_s": 1.5,
        "peak_bytes": 10**8,
    }
    return LatencyRow(runtime=name, again=False, ratio=ratio, **facts | more)


def result(name: str, **more: Any) -> RuntimeResult:
    facts: dict[str, Any] = {"precision": spec_of(name).precision, "hybrid": False, "named": False}
    return RuntimeResult(name=name, **facts | {"verdict": Verdict(kind="rounding")} | more)


@pytest.fixture
def report() -> Any:
    """A report of four runtimes: the baseline, a slow one, one with too few rounds, and one that did not run."""
    lower = Verdict(kind="reduced precision", precision="fp16", own=True)
    steps = {"turns": ROUNDS, "prefills": ROUNDS, "median_ms": 30.0, "checks": {"64": Verdict(kind="rounding")}}
    return SimpleNamespace(
        subject="a model",
        input=SimpleNamespace(sequence=64),
        token_word="tokens",
        environment=SimpleNamespace(threads=2),
        runtimes=[
            result("torch-eager"),
            result("torch-fp16", verdict=lower),
            result("onnxruntime"),
            result("jax", error="needs jax (not installed)", verdict=None),
        ],
        latency=[
            timed("torch-eager", None),
            timed("torch-fp16", UNKNOWN, too_slow=True, turns={5: [36 * 10**8]}),
            timed("onnxruntime", UNKNOWN, turns={0: [10**8]}),
        ],
        decoding=[
            DecodeRow(runtime="torch-eager", again=False, **steps),
            DecodeRow(runtime="onnxruntime", again=False, ratio=KNOWN, **steps),
            DecodeRow(runtime="optimum", again=False, ratio=KNOWN, first_token_ms=110.0, **steps),
        ],
    )


def test_a_ratio_is_known_if_it_is_measurable_or_from_a_slow_runtime(report: Any) -> None:
    rows = {name: row_of(spec_of(name), report) for name in ("torch-eager", "torch-fp16", "onnxruntime", "optimum")}
    assert {name: row.ratio for name, row in rows.items()} == {
        "torch-eager": 1.0,
        "torch-fp16": 36.0,
        "onnxruntime": None,
        "optimum": None,
    }
    assert rows["torch-fp16"].few_rounds == 1
    assert rows["torch-fp16"].type == "fp16"
    assert (rows["optimum"].prefill_ms, rows["optimum"].token_ms, rows["optimum"].token_ratio) == (110.0, 30.0, 0.5)
    cells = {row[0]: row for row in table(list(rows.values()), report).rows}
    assert cells["torch-fp16"][6] == "~36"
    assert cells["onnxruntime"][6:9] == [NOTHING, "30", "0.50"]


def test_one_that_did_not_run_has_a_reason_and_no_numbers(report: Any) -> None:
    row = row_of(spec_of("jax"), report)
    assert row.missing == "needs jax (not installed)"
    assert faults([row]) == ["jax did not run: needs jax (not installed)."]
    assert table([row], report).rows == [["jax", "XLA", "did not run", *[NOTHING] * 11]]


def test_one_that_is_different_has_a_sentence(report: Any) -> None:
    report.runtimes[2].verdict = Verdict(kind="different", tensor="attention.2", place="layer 2, attention", note="so")
    row = row_of(spec_of("onnxruntime"), report)
    assert faults([row]) == ["onnxruntime is different from layer 2, attention on: so."]


def test_what_was_made_is_the_conversion_and_what_the_first_call_takes_longer() -> None:
    row = timed("onnxruntime-int8", KNOWN)
    assert made(result("onnxruntime-int8", facts={"conversion": "9.9 s"}), row) == pytest.approx(10.1)
    assert made(result("torch-compile", facts={"compilation and first call": "27.4 s"}), row) == pytest.approx(27.3)
    assert made(result("onnxruntime"), timed("onnxruntime", KNOWN, first_call_s=0.05)) == 0
    assert made(None, None) is None


def test_the_aims_count_what_ran(report: Any) -> None:
    rows = [row_of(spec_of(name), report) for name in ("torch-eager", "torch-fp16", "onnxruntime", "jax")]
    found = {aim.what: (aim.reached, aim.held) for aim in aims(rows, seconds=500, most=480)}
    assert found == {
        "rows with a verdict": ("3", False),
        "engines": ("2", False),
        "known ratios of a pass": ("2 of 3", False),
        "times of a token": ("2 of 3", False),
        "seconds": ("500", False),
    }
