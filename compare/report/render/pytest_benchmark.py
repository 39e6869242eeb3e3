"""Print a report's latency in the JSON format of pytest-benchmark: one benchmark for each row.

Times are in seconds. A pytest-benchmark round is one call, and calls are in the order in which they were made. Fields
that a report has no value for, such as the machine's name, are empty, as in pytest-benchmark. A worker that failed is
left out, because pytest-benchmark has no failed benchmarks.
"""

import json
from statistics import mean, median, stdev
from typing import Any

from compare.report.schema import Report
from compare.results.latency import LatencyRow
from export.printing import print_json

#: The version of pytest-benchmark whose fields and definitions are used.
FORMAT = "5.3.1"


def print_report(report: Report) -> None:
    """Print a report to stdout."""
    print_json(to_pytest_benchmark(report))


def to_pytest_benchmark(report: Report) -> str:
    """Return a report's latency as the JSON of `pytest --benchmark-json`, with every sample."""
    saved = {
        "machine_info": _machine(report),
        "commit_info": _commit(report.environment.commit),
        "benchmarks": [_benchmark(report, row) for row in report.latency if row.turns and row.error is None],
        "datetime": report.created,
        "version": FORMAT,
    }
    return json.dumps(saved, indent=1, allow_nan=False)


def _machine(report: Report) -> dict[str, Any]:
    environment = report.environment
    system, _, machine = environment.platform.partition(" ")
    return {
        "node": "",
        "processor": environment.processor,
        "machine": machine,
        "python_compiler": "",
        "python_implementation": "",
        "python_implementation_version": environment.python,
        "python_version": environment.python,
        "python_build": ["", ""],
        "release": "",
        "system": system,
        "cpu": {"brand_raw": environment.processor, "arch_string_raw": machine, "count": environment.cores},
        "memory_bytes": environment.memory_bytes,
        "packages": environment.packages,
    }


def _commit(commit: str | None) -> dict[str, Any]:
    """Return the fields for a commit of this project. A "+" at the end of its name means that files had changed.

    >>> commit = _commit("0123456789ab+")
    >>> commit["id"], commit["dirty"]
    ('0123456789ab', True)
    """
    return {
        "id": "unversioned" if commit is None else commit.rstrip("+"),
        "time": None,
        "author_time": None,
        "dirty": commit is not None and commit.endswith("+"),
        "project": "onnx-attention-compare",
        "branch": "(unknown)",
    }


def _benchmark(report: Report, row: LatencyRow) -> dict[str, Any]:
    """Return one row. Its name has model, runtime, shape and threads, so that dashboards join only comparable rows."""
    params = {
        "batch": report.input.batch,
        "sequence": report.input.sequence,
        "threads": report.environment.threads,
    }
    param = "{batch}x{sequence}-{threads}threads".format(**params)
    name = f"{row.runtime}{'-again' if row.again else ''}[{param}]"
    return {
        "group": "latency of one forward pass",
        "name": name,
        "fullname": f"{report.model.name if report.model else report.subject}::{name}",
        "params": params,
        "param": param,
        "extra_info": _extra(report, row),
        "options": {
            "disable_gc": False,
            "timer": "perf_counter_ns",
            "min_rounds": 1,
            "max_time": report.time_s,
            "min_time": 0.0,
            "precision": None,
            "confidence": None,
            "warmup": True,
        },
        "stats": stats([sample / 1e9 for turn in row.turns.values() for sample in turn]),
    }


def _extra(report: Report, row: LatencyRow) -> dict[str, Any]:
    """Return results for which pytest-benchmark has no field. `again` marks the A/A control."""
    ratio = row.ratio if row.ratio and row.ratio.measurable else None
    verdict = next((runtime.verdict for runtime in report.runtimes if runtime.name == row.runtime), None)
    return {
        "ratio": ratio.estimate if ratio else None,
        "low": ratio.low if ratio else None,
        "high": ratio.high if ratio else None,
        "verdict": verdict.kind if verdict else None,
        "baseline": report.latency[0].runtime,
        "again": row.again,
        "model": report.subject,
        "quick": report.quick,
        "notes": report.notes,
    }


def stats(samples: list[float]) -> dict[str, Any]:
    """Return pytest-benchmark's statistics of samples, in their unit and by its definitions.

    There are two counts of outliers: of samples more than a standard deviation from the mean, and of samples more than
    1.5 interquartile ranges outside the quartiles (Tukey's fences). ld15iqr and hd15iqr are the lowest and the highest
    sample within these fences.

    >>> found = stats([4.0, 1.0, 2.0, 3.0])
    >>> found["median"], found["q1"], found["q3"], found["outliers"], found["ops"]
    (2.5, 1.5, 3.5, '2;0', 0.4)
    """
    ordered = sorted(samples)
    middle = mean(samples)
    scatter = stdev(samples) if len(samples) > 1 else 0.0
    q1, q3 = _quartile(ordered), -_quartile([-sample for sample in reversed(ordered)])
    fence = 1.5 * (q3 - q1)
    within = [sample for sample in ordered if q1 - fence <= sample <= q3 + fence]
    far = sum(not middle - scatter <= sample <= middle + scatter for sample in samples)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": middle,
        "stddev": scatter,
        "rounds": len(samples),
        "median": median(samples),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": len(samples) - len(within),
        "stddev_outliers": far,
        "outliers": f"{far};{len(samples) - len(within)}",
        "ld15iqr": within[0],
        "hd15iqr": within[-1],
        "ops": 1 / middle,
        "total": sum(samples),
        "data": samples,
        "iterations": 1,
    }


def _quartile(ordered: list[float]) -> float:
    """Return the first quartile: the mean of the medians of the lower half with and without the middle sample.

    >>> _quartile([1.0, 2.0, 3.0, 4.0]), _quartile([1.0, 2.0, 3.0, 4.0, 5.0]), _quartile([7.0])
    (1.5, 1.75, 7.0)
    """
    without, including = len(ordered) // 2, (len(ordered) + 1) // 2
    halves = [ordered[: without or including], ordered[:including]]
    return mean(median(half) for half in halves)
