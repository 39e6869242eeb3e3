"""Find what cannot be in a report that was read from a file, although every field has its type.

Whatever shows or judges a report relies on this: that rows are named, that a tensor is one of the model's, that times
are above 0. A report of this project cannot break it, so one that does was damaged or altered.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from itertools import chain
from math import inf, isfinite
from typing import Any

from compare.report.formatting import AXES
from compare.results.gaps import Gap, Multiples
from compare.results.latency import LatencyRow, Ratio, TurnRecord
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict

#: The most rows of a table, the most layers and heads of a model, and the most characters of a string.
MOST_ROWS, MOST_LAYERS, MOST_HEADS, LONGEST = 1000, 10_000, 10_000, 5_000_000

#: The largest integer.
_LARGEST = 2**63 - 1

_TENSOR = re.compile(r"([a-z_]+)(?:\.(0|[1-9][0-9]{0,5}))?")


def contradiction(report: Any) -> str:
    """Return where a report is wrong and why, such as "rounds: -1 is negative"; empty if nothing is found.

    report: a `compare.report.schema.Report`.
    """
    checks = (_values(report, ""), _model(report), _rows(report), _runtimes(report), _checks(report), _limits(report))
    return next(chain.from_iterable(checks), "")


def _values(value: Any, place: str) -> Iterator[str]:
    """Yield the numbers and strings that no field can have. place: of the value, for messages."""
    if isinstance(value, bool | float) or value is None:
        return
    if isinstance(value, int):
        if not 0 <= value <= _LARGEST:
            yield f"{place}: {'a negative number' if value < 0 else 'a number above 2**63'}"
    elif isinstance(value, str):
        if len(value) > LONGEST:
            yield f"{place}: a text of {len(value):,} characters"
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _values(key, f"{place}: a key")
            yield from _values(each, f"{place}.{str(key)[:40]}")
    elif isinstance(value, list | tuple):
        if value and all(type(each) is int for each in value):  # the samples of a turn: many, so they are not walked
            yield from (*_values(min(value), place), *_values(max(value), place))
        else:
            for at, each in enumerate(value):
                yield from _values(each, f"{place}.{at}")
    else:
        yield from _parts(value, place)


def _parts(value: Any, place: str) -> Iterator[str]:
    """Yield what is wrong in the fields of a result, and in what they mean together."""
    if isinstance(value, Ratio) and not (0 <= value.low <= value.high and 0 < value.estimate < inf):
        yield f"{place}: an interval from {value.low:g} to {value.high:g} around {value.estimate:g}"
    elif isinstance(value, TurnRecord) and not all(samples and min(samples) > 0 for samples in _samples(value)):
        yield f"{place}: a turn without a time, or with one that is not above 0"
    elif isinstance(value, Verdict) and value.statistic not in (None, *_STATISTICS):
        yield f"{place}: no statistic {value.statistic!r:.40}"
    if isinstance(value, LatencyRow) and value.median_ms is not None and not 0 < value.median_ms < inf:
        yield f"{place}: a median of {value.median_ms:g} ms"
    if isinstance(value, LatencyRow) and value.median_ms is not None and not value.turns:
        yield f"{place}: a median of no turn"
    names = [field.name for field in fields(value)] if is_dataclass(value) else list(type(value).model_fields)
    for name in names:
        yield from _values(getattr(value, name), f"{place}.{name}".lstrip("."))


_STATISTICS = tuple(field.name for field in fields(Multiples))


def _samples(record: TurnRecord) -> Iterable[Sequence[int]]:
    """Return the samples of each turn of a worker, and of each prefill if it decodes."""
    yield from record.turns.values()
    yield from getattr(record, "prefills", {}).values()
    for turns in record.disturbed.values():
        yield from turns


def _model(report: Any) -> Iterator[str]:
    """Yield what is wrong in the sizes of the model and the input."""
    part = report.input
    for name in ("batch", "sequence"):
        if getattr(part, name) < 1:
            yield f"input.{name}: it is 0"
    if len(part.tokens) > part.sequence:
        yield f"input.tokens: {len(part.tokens):,} tokens of a sequence of {part.sequence:,}"
    if report.model is None:
        return
    if not 1 <= report.model.layers <= MOST_LAYERS:
        yield f"model.layers: it is {report.model.layers:,}"
    if report.model.heads > MOST_HEADS:
        yield f"model.heads: it is {report.model.heads:,}"
    for head in report.heads:
        if head.layer >= report.model.layers or head.head >= report.model.heads:
            sizes = f"{report.model.layers} layers of {report.model.heads} heads"
            yield f"heads: layer {head.layer} head {head.head} of {sizes}"


def _rows(report: Any) -> Iterator[str]:
    """Yield what is wrong in the names of rows: each table has some of the runtimes once, the baseline first."""
    names = [runtime.name for runtime in report.runtimes]
    if not names:
        yield "runtimes: there are none"
        return
    if report.model is None and not all(runtime.graph for runtime in report.runtimes):
        yield "runtimes: a row without an ONNX file, in a comparison of two"
    for place, rows in _tables(report):
        if len(rows) > MOST_ROWS:
            yield f"{place}: {len(rows):,} rows"
        if len(set(rows)) < len(rows):
            yield f"{place}: two rows of one name"
    for place, row in (
        *((f"latency.{i}", row) for i, row in enumerate(report.latency)),
        *((f"interference.{i}", row) for i, row in enumerate(report.interference)),
        *((f"self_gaps.{i}", row) for i, row in enumerate(report.self_gaps)),
    ):
        if row.runtime not in names:
            yield f"{place}: there is no runtime of this name"
    if report.latency and report.latency[0].runtime != names[0]:
        yield "latency: its first row is not the baseline's"
    if report.self_gaps and not report.latency:
        yield "self_gaps: nothing was timed"
    if any(not cell.latency or cell.latency[0].runtime != names[0] for cell in report.grid):
        yield "grid: a cell whose first row is not the baseline's"


def _tables(report: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the place of each table, and the names of its rows."""
    yield "runtimes", [runtime.name for runtime in report.runtimes]
    for place in ("latency", "decoding", "interference"):
        yield place, [(row.runtime, row.again) for row in getattr(report, place)]
    yield "self_gaps", [row.runtime for row in report.self_gaps]
    yield "grid", [(cell.sequence, cell.batch) for cell in report.grid]
    for at, cell in enumerate(report.grid):
        yield f"grid.{at}.latency", [(row.runtime, row.again) for row in cell.latency]


def _runtimes(report: Any) -> Iterator[str]:
    """Yield what is wrong in the tensors of runtimes."""
    layers = MOST_LAYERS if report.model is None else report.model.layers
    tensors = next((_tensors(runtime) for runtime in report.runtimes if runtime.gaps), set())
    for row, runtime in enumerate(report.runtimes):
        place = f"runtimes.{row}.gaps"
        names = _tensors(runtime)
        if len(names) < len(runtime.gaps):
            yield f"{place}: two tensors of one name"
        if names and names != tensors:
            yield f"{place}: its tensors are not those of the rows above it"
        for at, gap in enumerate(runtime.gaps):
            yield from (f"{place}.{at}: {why}" for why in _gap(gap, layers))
        for name, evidence in _evidence(runtime):
            if not _is_tensor(name, layers) or not _fits(name, evidence.place):
                yield f"runtimes.{row}: evidence on {name!r:.40}, which is no tensor of the model or has no such place"
        for verdict in _verdicts(runtime):
            if verdict.tensor is not None and not _is_tensor(verdict.tensor, layers):
                yield f"runtimes.{row}.verdict: {verdict.tensor!r:.40} is no tensor of the model"
        verdicts = 0 if runtime.verdict is None else len(runtime.verdict.runs)
        if max(verdicts - 1, 0) != len(runtime.again):
            yield f"runtimes.{row}.again: {len(runtime.again)} further runs, and not as many verdicts"


def _tensors(runtime: RuntimeResult) -> set[str]:
    return {gap.tensor for gap in runtime.gaps}


def _gap(gap: Gap, layers: int) -> Iterator[str]:
    if not _is_tensor(gap.tensor, layers):
        yield f"{gap.tensor!r:.40} is no tensor of the model"
    elif gap.place is not None and not _fits(gap.tensor, gap.place):
        yield f"{gap.tensor} has no place {gap.place}"
    if len(gap.heads) > MOST_HEADS or (gap.heads and not gap.tensor.startswith("attention.")):
        yield f"heads of {gap.tensor!r:.40}"
    if len(gap.ulps) not in (0, 3):
        yield f"{len(gap.ulps)} percentiles instead of 3"


def _evidence(runtime: RuntimeResult) -> Iterator[tuple[str, Any]]:
    yield from ((gap.tensor, gap.evidence) for gap in runtime.gaps if gap.evidence is not None)
    for run in runtime.again:
        yield from run.evidence.items()
    for padding in (runtime.padding, *(run.padding for run in runtime.again)):
        yield from (padding.evidence.items() if padding else ())


def _verdicts(runtime: RuntimeResult) -> Iterator[Verdict]:
    found = [runtime.verdict, *(part for part in (runtime.padding, *(run.padding for run in runtime.again)) if part)]
    for each in found:
        verdicts = [each] if isinstance(each, Verdict) else [each.text, each.verdict] if each else []
        for verdict in verdicts:
            if verdict is not None:
                yield from (verdict, *verdict.runs)


def _is_tensor(name: str, layers: int) -> bool:
    """Whether a model of that many layers has a tensor of this name."""
    found = _TENSOR.fullmatch(name)
    if found is None or found[1] not in AXES:
        return False
    if found[2] is None:
        return found[1] in ("logits", "last_hidden_state")
    return int(found[2]) < layers + (found[1] == "hidden_state") and found[1] not in ("logits", "last_hidden_state")


def _fits(tensor: str, place: Sequence[int]) -> bool:
    """Whether a place has an index for the batch and for each axis of a tensor; an empty one is not known."""
    return not place or len(place) == 1 + len(AXES[tensor.partition(".")[0]])


def _checks(report: Any) -> Iterator[str]:
    """Yield the checks of decoding that have no verdict, which needs a model and never lacks one."""
    for at, row in enumerate(report.decoding):
        for name, verdict in row.checks.items():
            if verdict.kind == "not judged":
                yield f"decoding.{at}.checks.{name[:40]}: it is not judged"


def _limits(report: Any) -> Iterator[str]:
    """Yield what is wrong in the limits of verdicts and of the machine, and in the settings."""
    limits = report.verdict_limits
    for name in ("local", "accumulated", "weak"):
        if not all(getattr(getattr(limits, name), statistic) > 0 for statistic in _STATISTICS):
            yield f"verdict_limits.{name}: a limit that is not above 0"
    for name in ("time_s", "precision"):
        if not isfinite(getattr(report, name)):
            yield f"{name}: it is not a number"
    if report.disturbance is not None and report.disturbance.attempts < 1:
        yield f"disturbance: {report.disturbance.attempts} turns"
    elif report.disturbance is not None and not 0 <= report.disturbance.disturbed <= report.disturbance.attempts:
        yield "disturbance: more turns were disturbed than there were"
    for part in () if report.limits is None else (report.limits.compute, report.limits.bandwidth):
        if part.per_second is not None and not 0 < part.per_second < inf:
            yield f"limits: {part.per_second:g} a second"
    if report.exporters is not None and 0 in report.exporters.graph_bytes:
        yield "exporters: a graph of 0 bytes"
    if not all(isfinite(seconds) for seconds in report.phases.values()):
        yield "phases: not a number"
