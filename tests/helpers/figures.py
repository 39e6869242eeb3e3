"""Helpers for tests of figures: their texts, and reports of other shapes."""

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from compare.report.schema import Report


def texts(figure: "Figure") -> str:
    """Return all texts of a figure."""
    return " ".join(text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text")))


def title(figure: "Figure") -> str:
    """Return the title of a figure."""
    lines = [text for text in figure.texts if text.get_fontweight() == "bold"]
    return " ".join(line.get_text() for line in sorted(lines, key=lambda line: -line.get_position()[1]))


def with_many_runtimes(report: "Report", count: int) -> None:
    """Add copies of onnxruntime and of its times until there are `count` runtimes; the last one is different."""
    row = next(row for row in report.latency if row.runtime == "onnxruntime")
    runtime = next(runtime for runtime in report.runtimes if runtime.name == "onnxruntime")
    for number in range(count - len(report.runtimes)):
        report.runtimes.append(replace(runtime, name=f"copy-{number}"))
        report.latency.append(replace(deepcopy(row), runtime=f"copy-{number}"))
    assert runtime.verdict is not None
    report.runtimes[-1].verdict = replace(
        runtime.verdict, kind="different", tensor="context.1", place="layer 1, attention"
    )


def as_an_encoder(report: "Report") -> None:
    """Rename the output to that of an encoder, which is not decoded."""
    assert report.model is not None
    report.model.output = "last_hidden_state"
    for runtime in report.runtimes:
        runtime.gaps = [replace(gap, tensor=gap.tensor.replace("logits", "last_hidden_state")) for gap in runtime.gaps]
    report.decoding = []


def with_failures(report: "Report") -> None:
    """One runtime did not run, one could not be timed, and every turn of one was disturbed."""
    sdpa = next(runtime for runtime in report.runtimes if runtime.name == "torch-sdpa")
    sdpa.error, sdpa.verdict, sdpa.gaps = "killed by SIGSEGV", None, []
    rows = {row.runtime: row for row in report.latency if not row.again}
    rows["torch-sdpa"].error, rows["torch-sdpa"].median_ms, rows["torch-sdpa"].ratio = "killed by SIGSEGV", None, None
    rows["torch-sdpa"].turns = {}
    row = rows["onnxruntime"]
    row.disturbed, row.turns, row.median_ms, row.ratio = {0: [[10**6]]}, {}, None, None
