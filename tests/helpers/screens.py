"""Reports as a default run would write them, and the changes under which the screen must still be readable."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.helpers.reports import verdict

if TYPE_CHECKING:
    from compare.report.schema import Report
    from compare.results.latency import DecodeRow


def as_default_run(report: "Report", folder: Path) -> "Report":
    """Write a report into a folder, with random weights, and with onnxruntime as the fastest runtime in everything."""
    from compare.results.latency import Ratio

    for rows in (report.latency, report.decoding):
        next(row for row in rows if row.runtime == "onnxruntime").ratio = Ratio(estimate=0.25, low=0.24, high=0.26)
    for row in report.decoding[1:]:
        row.first_token = Ratio(estimate=0.5, low=0.45, high=0.55)
    assert report.disturbance is not None and report.model is not None
    quiet = {"max_load": 0.05, "disturbed": 0, "others": 0.01, "stolen": 0.0, "processes": {}}
    report.disturbance = replace(report.disturbance, **quiet)
    report.model.trained = False
    report.model.provenance = "seeded: distilgpt2 architecture, random weights (seed 0)"
    folder.mkdir(parents=True)
    report.write(folder)
    return report


def with_a_fault(report: "Report") -> None:
    """The attention of layer 2 is wrong in onnxruntime."""
    runtime = next(runtime for runtime in report.runtimes if runtime.name == "onnxruntime")
    runtime.verdict = verdict(
        "different", place="layer 2, attention", tensor="attention.2", statistic="rms", multiple=9
    )


def with_a_decoder(report: "Report") -> "DecodeRow":
    """Replace optimum by a runtime that only decodes, as one of another package may, and return its row."""
    for rows in (report.latency, report.self_gaps):
        rows[:] = [row for row in rows if row.runtime != "optimum"]
    report.runtimes = [runtime for runtime in report.runtimes if runtime.name != "optimum"]
    steps = next(row for row in report.decoding if row.runtime == "optimum")
    steps.runtime = "decoder"
    return steps


def with_failures(report: "Report") -> None:
    """torch-sdpa did not run, and a runtime that only decodes failed."""
    runtime = next(runtime for runtime in report.runtimes if runtime.name == "torch-sdpa")
    runtime.error, runtime.verdict, runtime.gaps = (
        "it was killed by SIGSEGV while it ran the text, see its log",
        None,
        [],
    )
    with_a_decoder(report).error = "no kernel for this"


def with_a_busy_machine(report: "Report") -> None:
    """Two of twelve rounds were undisturbed."""
    assert report.disturbance is not None
    report.disturbance.others, report.disturbance.stolen, report.disturbance.disturbed = 0.43, 0.0, 90
    report.disturbance.processes = {"stress": 0.41}
    for rows in (report.latency, report.decoding):
        for row in rows:
            row.disturbed = {number: [row.turns.pop(number)] for number in range(2, 12)}


def without_latency(report: "Report") -> None:
    """Nothing was timed."""
    report.latency, report.decoding, report.self_gaps, report.disturbance = [], [], [], None


def without_decoding(report: "Report") -> None:
    """Nothing was decoded."""
    report.decoding = []


def of_two_files(report: "Report") -> None:
    """Two ONNX files were compared, without a model."""
    from compare.results.runtimes import OnnxGraph, RuntimeResult

    facts = {"bytes": 1, "sha256": "0" * 64, "opset": 18, "fed": [], "unmatched": [], "quantized": [], "halves": []}
    differs = verdict("not judged", tensor="hidden_state.2", place="layer 1, MLP", note="by 570,000 unit roundoffs")
    report.model = report.ruler = None
    report.runtimes = [
        RuntimeResult(
            name=name,
            precision="float32",
            hybrid=False,
            named=True,
            graph=OnnxGraph(file=f"{name}.onnx", **facts),
            verdict=differs if name == "onnx-file" else None,
            gaps=[gap for gap in report.runtimes[0].gaps if name == "onnx-file"],
        )
        for name in ("onnx-baseline", "onnx-file")
    ]
    report.latency = [*report.latency[:2], next(row for row in report.latency if row.runtime == "onnxruntime")]
    for row, name in zip(report.latency, ("onnx-baseline", "onnx-baseline", "onnx-file"), strict=True):
        row.runtime = name
    report.decoding, report.self_gaps = [], []
    report.runtimes[1].gaps = [replace(gap, evidence=None) for gap in report.runtimes[1].gaps]


def unchanged(_: "Report") -> None:
    """Nothing is special."""


#: Every change, by which tests are parametrized.
CHANGES: tuple[Callable[["Report"], None], ...] = (
    unchanged,
    with_a_fault,
    with_failures,
    with_a_busy_machine,
    without_latency,
    without_decoding,
    of_two_files,
)
