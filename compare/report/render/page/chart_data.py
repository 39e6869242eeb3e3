"""The numbers that the page's charts draw, as JSON: a dictionary for each chart, None if there is nothing to draw."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isfinite
from statistics import median
from typing import Any

from compare.report.formatting import number, times, verdict_cell, worker_name
from compare.report.measurability import control_ratio
from compare.report.recommendation import choices, front, time_is_known
from compare.report.schema import Report
from compare.report.sections.latency import ratio_of, reading
from compare.results.gaps import Gap, Multiples
from compare.results.latency import LatencyRow, Ratio
from compare.results.runtimes import RuntimeResult

#: The most samples that a chart shows of one runtime. They are taken evenly from all samples.
MOST_SAMPLES = 400

#: The statistics that have a limit, with the words that the page has for them.
STATISTICS = {"rms": "root mean square", "max": "largest error", "channel": "worst channel", "slope": "slope"}

#: The phases that are no step of their own: a point in time, and the sum.
_NO_STEP = ("until first gap row", "in all")


def chart_data(report: Report) -> dict[str, dict[str, Any] | None]:
    """Return the data of each chart of a report by its name."""
    return {
        "gaps": gaps(report),
        "latency": latency(report.latency),
        "decoding": latency(report.decoding),
        "front": speed_and_error(report),
        "phases": phases(report),
    }


def gaps(report: Report) -> dict[str, Any] | None:
    """Return the errors of each runtime in floors: for each layer, those of the tensor with the largest one."""
    judged = [(runtime, list(_worst_errors(runtime, report))) for runtime in report.runtimes]
    rows = [
        {"name": runtime.name, "words": verdict_cell(runtime), "weak": weak(runtime), "errors": errors}
        for runtime, errors in judged
        if errors
    ]
    if report.model is None or not rows:
        return None
    used = {"local": report.verdict_limits.local, "weak": report.verdict_limits.weak}
    limits = {name: {kind: finite(getattr(part, name)) for kind, part in used.items()} for name in STATISTICS}
    verdicts = [runtime.verdict for runtime, _ in judged if runtime.verdict and runtime.verdict.kind == "different"]
    first = next((verdict.statistic for verdict in verdicts if verdict.statistic), "rms")
    return {"layers": report.model.layers, "statistics": STATISTICS, "limits": limits, "first": first, "rows": rows}


def weak(runtime: RuntimeResult) -> bool:
    """Whether a runtime exposes only the model's output, so that it is judged by accumulated errors."""
    return sum(gap.evidence is not None for gap in runtime.gaps) == 1


def _worst_errors(runtime: RuntimeResult, report: Report) -> Iterator[dict[str, Any]]:
    """Yield the largest error of each layer in each statistic. Layer -1 is the embedding; the last one the output."""
    layers = report.model.layers if report.model else 0
    worst: dict[tuple[int, str], tuple[float, str]] = {}
    for gap in runtime.gaps:
        errors = _errors(gap, runtime)
        for statistic, value in (asdict(errors) if errors else {}).items():
            place = _layer_of(gap.tensor, layers), statistic
            if isfinite(value) and value >= worst.get(place, (-1.0, ""))[0]:
                worst[place] = value, gap.tensor
    for (layer, statistic), (value, tensor) in worst.items():
        yield {"layer": layer, "statistic": statistic, "value": value, "tensor": tensor}


def _errors(gap: Gap, runtime: RuntimeResult) -> Multiples | None:
    """Return the errors of a tensor that its verdict rests on; None if it has none."""
    if gap.evidence is None:
        return None
    errors = runtime.judged(gap.evidence)
    return errors.accumulated if weak(runtime) else errors.local


def _layer_of(tensor: str, layers: int) -> int:
    """Return the layer that makes a tensor: hidden state N is what layer N - 1 gives.

    >>> [_layer_of(tensor, 6) for tensor in ("hidden_state.0", "hidden_state.6", "query.2", "logits")]
    [-1, 5, 2, 6]
    """
    kind, _, place = tensor.partition(".")
    return layers if not place else int(place) - (kind == "hidden_state")


def latency(rows: Sequence[LatencyRow]) -> dict[str, Any] | None:
    """Return the times of each row over the baseline's: the ratio with its interval, and single samples.

    rows: those of latency or of decoding, the baseline first, then its second process.
    """
    if not rows or rows[0].error or not rows[0].turns:
        return None
    control = control_ratio(rows)
    baseline = {number: median(samples) for number, samples in rows[0].turns.items()}
    return {
        "baseline": rows[0].runtime,
        "control": _interval(control),
        "rows": [_row(row, baseline, is_baseline=row is rows[0]) for row in rows if row.turns and not row.error],
    }


def _row(row: LatencyRow, baseline: dict[int, float], *, is_baseline: bool) -> dict[str, Any]:
    """Return the chart's row. baseline: round -> the baseline's median in it."""
    shared = sorted(row.turns.keys() & baseline.keys())
    samples = [sample / baseline[number] for number in shared for sample in row.turns[number]]
    step = max(1, -(-len(samples) // MOST_SAMPLES))
    return {
        "name": worker_name(row.runtime, again=row.again),
        "ms": number(row.median_ms),
        "words": "baseline" if is_baseline else f"{ratio_of(row, row.ratio)}, {reading(row)}",
        "ratio": None if is_baseline else _interval(row.ratio),
        "samples": [_short(sample) for sample in samples[::step]],
        "taken": len(samples),
    }


def speed_and_error(report: Report) -> dict[str, Any] | None:
    """Return the time and the error of each runtime, and which of them no other one beats in both."""
    found = [choice for choice in choices(report) if choice.gap and choice.runtime.in_rounding]
    if report.model is None or not found:
        return None
    rivals = [choice for choice in found if choice.trusted and time_is_known(choice, report)]
    best = [choice.name for choice in front(rivals)]
    points = [
        {
            "name": choice.name,
            "time": _interval(choice.time) or {"estimate": choice.time.estimate},
            "error": finite(choice.runtime.in_rounding),
            "words": times(choice.runtime.in_rounding),
            "trusted": choice.trusted,
            "front": choice.name in best,
        }
        for choice in found
    ]
    return {"baseline": report.latency[0].runtime, "word": report.output_word, "points": points}


def phases(report: Report) -> dict[str, Any] | None:
    """Return the seconds of each phase of the comparison."""
    rows = [{"name": name, "seconds": taken} for name, taken in report.phases.items() if name not in _NO_STEP and taken]
    return {"rows": rows, "in_all": report.phases.get("in all")} if rows else None


def _interval(ratio: Ratio | None) -> dict[str, float] | None:
    """Return a ratio with its interval; None if it is not measurable."""
    return asdict(ratio) if ratio is not None and ratio.measurable else None


def finite(value: float | None) -> float | None:
    """Return a number that JSON has; None for NaN and infinity."""
    return value if value is not None and isfinite(value) else None


def _short(value: float) -> float:
    return float(f"{value:.4g}")
