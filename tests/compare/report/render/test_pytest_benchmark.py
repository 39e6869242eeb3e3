"""Test that the output has pytest-benchmark's fields, units and definitions of statistics."""

import json
from datetime import datetime

import pytest

from compare.report.render.pytest_benchmark import stats, to_pytest_benchmark
from compare.report.schema import Report
from compare.results.latency import Ratio
from tests.helpers.differences import fail_while_timed

#: All fields that pytest-benchmark 5.3.1 writes for a benchmark and for its samples.
BENCHMARK = {"group", "name", "fullname", "params", "param", "extra_info", "options", "stats"}
STATS = {
    *("min", "max", "mean", "stddev", "rounds", "median", "iqr", "q1", "q3", "iqr_outliers", "stddev_outliers"),
    *("outliers", "ld15iqr", "hd15iqr", "ops", "total", "data", "iterations"),
}


def saved(report: Report) -> dict:
    return json.loads(to_pytest_benchmark(report))


@pytest.mark.parametrize(
    ("samples", "outliers", "expected"),
    [
        ([7], "0;0", {"stddev": 0, "q1": 7, "q3": 7, "ld15iqr": 7, "hd15iqr": 7, "ops": 0.142857}),
        ([4, 1], "0;0", {"stddev": 2.12132, "median": 2.5, "q1": 1, "q3": 4, "ops": 0.4}),
        ([5, 1, 3], "0;0", {"stddev": 2, "median": 3, "q1": 1.5, "q3": 4.5, "iqr": 3}),
        (
            [9, 1, 3, 4, 5, 6, 40],
            "1;1",
            {"stddev": 13.585707, "q1": 3.25, "q3": 8.25, "ld15iqr": 1, "hd15iqr": 9},
        ),
        (
            [2, 2, 2, 3, 3, 4, 5, 60],
            "1;1",
            {"stddev": 20.180879, "q1": 2, "q3": 4.5, "ld15iqr": 2, "hd15iqr": 5},
        ),
        (
            [11, 3, 8, 1, 5, 9, 20, 2, 100],
            "1;1",
            {"mean": 17.666667, "q1": 2.75, "q3": 13.25, "iqr": 10.5, "hd15iqr": 20},
        ),
    ],
)
def test_statistics_are_those_of_pytest_benchmark(samples: list[float], outliers: str, expected: dict) -> None:
    """The expected values are those of `pytest_benchmark.stats.Stats` of 5.3.1 for these samples."""
    found = stats([float(sample) for sample in samples])
    assert found["outliers"] == outliers
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_every_field_is_there(report: Report) -> None:
    whole = saved(report)
    assert set(whole) == {"machine_info", "commit_info", "benchmarks", "datetime", "version"}
    assert {"node", "processor", "machine", "python_version", "release", "system", "cpu"} <= set(whole["machine_info"])
    assert set(whole["commit_info"]) == {"id", "time", "author_time", "dirty", "project", "branch"}
    assert datetime.fromisoformat(whole["datetime"]).tzinfo is not None
    for benchmark in whole["benchmarks"]:
        assert set(benchmark) == BENCHMARK
        assert set(benchmark["stats"]) == STATS
        assert benchmark["fullname"] == f"tiny::{benchmark['name']}"


def test_a_benchmark_is_a_row_in_seconds_with_every_sample(report: Report) -> None:
    benchmarks = saved(report)["benchmarks"]
    assert len(benchmarks) == len(report.latency)
    for benchmark, row in zip(benchmarks, report.latency, strict=True):
        samples = [sample for turn in row.turns.values() for sample in turn]
        assert benchmark["stats"]["data"] == pytest.approx([sample * 1e-9 for sample in samples])
        assert benchmark["stats"]["rounds"] == len(samples)
        assert benchmark["stats"]["min"] <= benchmark["stats"]["mean"] <= benchmark["stats"]["max"]
        assert benchmark["params"] == {"batch": 1, "sequence": 20, "threads": 1}


def test_ratio_and_verdict_come_along_and_the_second_baseline_is_marked(altered: Report) -> None:
    benchmarks = saved(altered)["benchmarks"]
    names = [benchmark["name"] for benchmark in benchmarks]
    assert len(set(names)) == len(names)
    assert names[:3] == [f"{name}[1x20-1threads]" for name in ("torch-eager", "torch-eager-again", "torch-sdpa")]
    assert [benchmark["extra_info"]["again"] for benchmark in benchmarks][:3] == [False, True, False]
    assert benchmarks[0]["extra_info"]["ratio"] is None
    for benchmark, row in zip(benchmarks[1:], altered.latency[1:], strict=True):
        extra = benchmark["extra_info"]
        assert (extra["ratio"], extra["low"], extra["high"]) == (row.ratio.estimate, row.ratio.low, row.ratio.high)
        assert (extra["verdict"], extra["model"]) == ("rounding", altered.model.provenance)


def test_a_ratio_that_is_not_measurable_is_null(altered: Report) -> None:
    altered.latency[-1].ratio = Ratio(estimate=0.5, low=0.0, high=float("inf"))
    extra = saved(altered)["benchmarks"][-1]["extra_info"]
    assert (extra["ratio"], extra["low"], extra["high"]) == (None, None, None)


def test_a_worker_that_failed_is_no_benchmark(altered: Report) -> None:
    fail_while_timed(altered, "onnxruntime", "killed")
    assert not any("onnxruntime" in benchmark["name"] for benchmark in saved(altered)["benchmarks"])


def test_a_changed_checkout_is_dirty_and_none_is_unversioned(altered: Report) -> None:
    altered.environment.commit = "0123456789ab+"
    assert (saved(altered)["commit_info"]["id"], saved(altered)["commit_info"]["dirty"]) == ("0123456789ab", True)
    altered.environment.commit = None
    assert (saved(altered)["commit_info"]["id"], saved(altered)["commit_info"]["dirty"]) == ("unversioned", False)
