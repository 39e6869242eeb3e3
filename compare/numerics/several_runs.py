"""Judge a runtime by several of its runs: which verdict is an alarm, and what several verdicts say together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from compare.results.precisions import FLOAT32
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import Verdict, rank


def is_alarm(verdict: Verdict, runtime: RuntimeResult) -> bool:
    """Whether a verdict is worse than rounding, unless it is a reduced precision that was asked for.

    A reduced precision was asked for if the runtime declares one, or if its ONNX file has quantized operators or
    weights in half precision.
    """
    graph = runtime.graph
    asked_for = runtime.precision != FLOAT32 or (graph is not None and bool(graph.quantized or graph.halves))
    return verdict.kind in ("different", "broken") or (verdict.kind == "reduced precision" and not asked_for)


def agreed(runs: Sequence[Verdict]) -> Verdict:
    """Combine the verdicts on several runs of a runtime into one, which keeps them in its field `runs`.

    If all verdicts have the same kind and the same first tensor, the result is that of the first run. Otherwise, if
    every run is "different" or "broken", the result is that of the mildest run. Otherwise it is "unsteady", and its
    note gives the number of runs for each verdict.

    >>> facts = dict(statistic="max", multiple=400.0)
    >>> off = Verdict(kind="different", tensor="context.0", place="layer 0, attention", **facts)
    >>> fine = Verdict(kind="rounding", tensor="context.1", place="layer 1, attention", **facts)
    >>> agreed([off, fine, fine]).sentence
    'unsteady: different in 1 of 3 runs, first at layer 0, attention; otherwise rounding'
    >>> agreed([off, off, off]).kind
    'different'
    """
    first = runs[0]
    if all(_place(run) == _place(first) for run in runs):
        return replace(first, runs=list(runs))
    mildest, worst = min(runs, key=_badness), max(runs, key=_badness)
    counted = "; ".join(_counted(runs))
    if rank(mildest.kind) > rank("unsteady"):
        note = "; ".join(filter(None, (mildest.note, counted)))
        return replace(mildest, note=note, runs=list(runs))
    return replace(worst, kind="unsteady", padded="", note=counted, runs=list(runs))


def _place(verdict: Verdict) -> tuple[str, str | None, bool]:
    """Return what must be equal for runs to agree: kind, first tensor, and whether it is on the padded input."""
    return verdict.kind, verdict.tensor, bool(verdict.padded)


def _badness(verdict: Verdict) -> int:
    return rank(verdict.kind)


def _counted(runs: Sequence[Verdict]) -> Iterator[str]:
    """Yield the number of runs for each verdict, the worst first, then one phrase for the runs without an alarm."""
    within = rank("rounding")
    worst_first = sorted(runs, key=_badness, reverse=True)
    alarms = Counter((run.kind, run.padded, run.place) for run in worst_first if rank(run.kind) > within)
    for (kind, padded, place), number in alarms.items():
        where = f" {padded}" if padded else ""
        yield f"{kind}{where} in {number} of {len(runs)} runs" + (f", first at {place}" if place else "")
    if others := dict.fromkeys(run.kind for run in runs if rank(run.kind) <= within):
        yield f"otherwise {' or '.join(others)}"
