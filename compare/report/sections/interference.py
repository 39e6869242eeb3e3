"""What is said of latency: which ratios are told apart, why rounds ended, whether caches are right."""

from math import log

from compare.report.formatting import NOT_MEASURABLE, NOTHING, give_or_take, interval, number, rate
from compare.report.gap_parts import VERDICTS
from compare.report.latency_parts import InterferencePart, LatencyPart, RatioPart
from compare.report.schema import Report


def in_shifts(report: Report) -> list[str]:
    """That the runtimes were not timed all together, where they were not."""
    if report.shifts <= 1:
        return []
    return [f"Latency was taken in {report.shifts} shifts, the baseline in each: memory did not hold all at once."]


def interference_lines(report: Report) -> list[str]:
    """What timing beside the others would have made of the runtime that it changes most, and which failed in it."""
    if not report.interference:
        return []
    baseline = report.interference[0].runtime
    parts = [part for part in report.interference if not part.again]
    failed = [
        f"{part.runtime} failed when it was timed beside the others: {part.error}." for part in parts if part.error
    ]
    known = [part for part in parts if part.slowdown and part.slowdown.measurable]
    changed = [part for part in known if part.slowdown and not part.slowdown.low <= 1 <= part.slowdown.high]
    if not changed:
        return [
            f"Timed beside the others unsuspended, no runtime's time would have been told apart from that alone "
            f"({_closest(parts)}).",
            *failed,
        ]
    most = max(changed, key=_change)
    assert most.slowdown is not None
    said = f"would have read {interval(most.slowdown)} times as long as alone"
    if most.ratio_alone and most.ratio_beside:
        said += f": {interval(most.ratio_beside)} of {baseline}'s time instead of {interval(most.ratio_alone)}"
    return [f"Timed beside the others unsuspended, {most.runtime} {said}.", *failed]


def _change(part: InterferencePart) -> float:
    return abs(log(part.slowdown.estimate)) if part.slowdown else 0.0


def _closest(parts: list[InterferencePart]) -> str:
    known = [part.slowdown for part in parts if part.slowdown]
    if not all(slowdown.measurable for slowdown in known):
        return "not all are measurable"
    return f"known to {give_or_take(max(known, key=_width))} at worst" if known else "there are no times"


def _width(ratio: RatioPart) -> float:
    return ratio.half_width


def grid_failures(report: Report) -> list[str]:
    """Which runtimes could not take a shape of the grid, and why, a sentence each."""
    return [
        f"{worker_name(row.runtime, again=row.again)} failed at {cell.name}: {row.error}."
        for cell in report.grid
        for row in cell.latency
        if row.error
    ]


def worker_name(runtime: str, *, again: bool) -> str:
    """What a row of latency is called: its runtime, and whether it is the baseline's second process."""
    return f"{runtime} (A/A)" if again else runtime


def limit_lines(report: Report) -> list[str]:
    """How long the model's work takes at what the machine can do, a sentence each."""
    if report.limits is None:
        return []
    peak, reads, work = report.limits.compute.per_second, report.limits.bandwidth.per_second, report.limits.work
    if work is None:
        return [f"How much work the model is could not be counted: {report.limits.uncounted}."]
    lines = []
    if peak is not None:
        lines.append(
            f"At this machine's peak, {rate(peak)} in float32 matrix products, the {number(work.prefill_flops / 1e9)} "
            f"GFLOP of this input take {number(1e3 * work.prefill_flops / peak)} ms."
        )
    if reads is not None:
        lines.append(
            f"At {rate(reads, 'B/s')} from memory the {number(work.decode_bytes / 1e6)} MB of one token more after "
            f"{work.past:,} take {number(1e3 * work.decode_bytes / reads)} ms."
        )
    return lines


def undone_fusions(report: Report) -> list[str]:
    """Which operators an exposed tap made run more or less often: fusion stops at an output."""
    part = report.observer
    if part is None or not part.operators:
        return []
    changed = ", ".join(f"{name} {inspect} / {deploy}" for name, (inspect, deploy) in part.operators.items())
    return [f"{part.runtime} with every tap exposed / to deploy runs {changed}; all other operators as often."]


def reading(row: LatencyPart) -> str:
    """What a ratio says: a winner only where its interval leaves 1 out, and none in the A/A row."""
    if row.ratio is None:
        return NOT_MEASURABLE if row.loads and not row.turns else NOTHING
    return "the truth is 1" if row.again and row.ratio.measurable else told(row.ratio)


def decode_lines(report: Report) -> list[str]:
    """Which caches are wrong, and where the generations part, a sentence each."""
    lines = []
    for row in report.decoding:
        for prefill, verdict in row.checks.items():
            if VERDICTS.index(verdict.kind) >= VERDICTS.index(report.fails_from):
                lines.append(f"{row.runtime} decodes wrongly after a prefill of {prefill}: {verdict.sentence}.")
    if report.model is None or not report.model.trained:
        return lines
    baseline = next((row.runtime for row in report.decoding), "")
    for row in report.decoding[1:]:
        if row.tokens and not row.again:
            parts = "all are" if row.parted is None else f"the first {row.parted} are"
            lines.append(f"Of the tokens that {row.runtime} and {baseline} generate {parts} the same.")
    return lines


def told(ratio: RatioPart) -> str:
    """A ratio of times in words, where its interval leaves 1 out.

    >>> told(RatioPart(estimate=0.5, low=0.48, high=0.53)), told(RatioPart(estimate=1.01, low=0.98, high=1.04))
    ('2 x as fast', 'not told apart (+-3 %)')
    """
    if not ratio.measurable:
        return NOT_MEASURABLE
    if ratio.low <= 1 <= ratio.high:
        return f"not told apart ({give_or_take(ratio)})"
    if ratio.estimate > 1:
        return f"{ratio.estimate:.3g} x as long"
    return f"{1 / ratio.estimate:.3g} x as fast"


def rounds_words(report: Report) -> str:
    """How many rounds there were, and why no more: every ratio is known as closely as asked, or the time was spent."""
    ratios = [row.ratio for row in report.latency if row.ratio]
    rounds = f"{report.rounds} rounds"
    if not ratios:
        return rounds
    widest = max(ratios, key=_width)
    if widest.half_width <= report.precision:
        return f"{rounds}, every ratio within {give_or_take(widest)}"
    asked = f"asked for was +-{100 * report.precision:g} %"
    return f"{rounds}, {report.time_s:g} s spent: the widest interval is {give_or_take(widest)}, {asked}"


def ratio(row: LatencyPart) -> str:
    assert row.ratio is not None
    return interval(row.ratio)
