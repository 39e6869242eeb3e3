"""Decide whether the latency in a report supports advice, and say why if it does not.

It does not if too few rounds were undisturbed, if the A/A control is not known to within a factor of two, or if most
calls of a runtime took far longer than its best ones.
"""

from collections.abc import Sequence
from statistics import quantiles

from compare.results.latency import FEWEST_ROUNDS, Disturbance, LatencyRow, Ratio

#: A median counts as far above the first call and the fastest quarter if it is this many times the larger of the two.
FAR_ABOVE = 1.5


def shared_rounds(row: LatencyRow, baseline: LatencyRow) -> int:
    """Return the number of rounds in which both had an undisturbed turn."""
    return len(row.turns.keys() & baseline.turns.keys())


def measurable(row: LatencyRow, baseline: LatencyRow) -> bool:
    """Whether a row's ratio to the baseline comes from enough rounds and is known to within a factor of two."""
    return row.ratio is not None and row.ratio.measurable and shared_rounds(row, baseline) >= FEWEST_ROUNDS


def is_shown(row: LatencyRow, rows: Sequence[LatencyRow]) -> bool:
    """Whether a row's ratio is shown as a number: it is measurable, and so are the rows as a whole.

    rows: the baseline first, then its second process, the A/A control.
    """
    return measurable(row, rows[0]) and why_not_measurable(rows, None, 0.0) is None


def faster(row: LatencyRow, rows: Sequence[LatencyRow]) -> bool:
    """Whether a row is measurably faster: its interval is below 1, and below the A/A control if that excludes 1.

    rows: the baseline first, then its second process, the A/A control.
    """
    return measurable(row, rows[0]) and row.ratio is not None and row.ratio.high < control_bound(rows)


def control_ratio(rows: Sequence[LatencyRow]) -> Ratio | None:
    """Return the ratio of the A/A control, the baseline in a second process; None if there is none.

    rows: the baseline first, then the A/A control.
    """
    return next((row.ratio for row in rows if row.again and row.runtime == rows[0].runtime), None)


def control_bound(rows: Sequence[LatencyRow]) -> float:
    """Return the bound below which an interval means faster: 1, or that of the A/A control if it excludes 1.

    An A/A control of 1.1 counts like one of 1 / 1.1.
    """
    ratio = control_ratio(rows)
    if ratio is None or ratio.low <= 1 <= ratio.high:
        return 1.0
    return min(ratio.estimate, 1 / ratio.estimate)


def why_not_measurable(rows: Sequence[LatencyRow], disturbance: Disturbance | None, seconds: float) -> str | None:
    """Return a sentence that says why the ratios of these rows do not support advice; None if they do.

    rows: the baseline first, then its second process, the A/A control. seconds: the time limit of the rounds.
    """
    if len(rows) < 2 or any(row.error for row in rows[:2]):
        return None
    baseline, control = rows[:2]
    rounds = shared_rounds(control, baseline)
    if rounds < FEWEST_ROUNDS:
        return _too_few(rows, rounds, disturbance, seconds)
    if control.ratio is None or not control.ratio.measurable:
        return (
            f"Not measurable here: the A/A control, {baseline.runtime} in two processes, is not known to within a "
            "factor of two. No runtime is recommended; use a longer --time, or run again on a quieter machine."
        )
    if slow := [row.runtime for row in rows if not row.again and slowed(row)]:
        return (
            f"Not measurable here: most calls of {', '.join(slow)} took far longer than the first call and the fastest "
            "quarter, so something slowed them. No runtime is recommended; run again on a quieter machine."
        )
    return None


def _too_few(rows: Sequence[LatencyRow], rounds: int, part: Disturbance | None, seconds: float) -> str:
    taken = max(len(row.loads) for row in rows)
    if part is not None and any(row.disturbed for row in rows[:2]) and rounds < taken:
        return (
            f"Not measurable here: {others(part)}, and only {rounds} of {taken} rounds were undisturbed; "
            f"{FEWEST_ROUNDS} are needed. No runtime is recommended; run again when they have ended, or count "
            "every turn with --max-load 100."
        )
    return (
        f"Not measurable in {seconds:g} s: {rounds} round{'s' if rounds != 1 else ''}, and {FEWEST_ROUNDS} are "
        f"needed. No runtime is recommended; use --min-rounds {FEWEST_ROUNDS} or a longer --time."
    )


def others(part: Disturbance) -> str:
    """Say how much of the CPU other processes used, and which of them used most of it.

    >>> counts = {"max_load": 0.05, "attempts": 9, "disturbed": 9}
    >>> others(Disturbance(others=0.43, stolen=0, processes={"stress": 0.41}, sees="every process", **counts))
    'other processes used 43 % of the CPU (stress 41 %)'
    """
    names = ", ".join(f"{name} {_percent(share)}" for name, share in part.processes.items() if share >= 0.005)
    said = f"other processes used {_percent(part.others)} of the CPU"
    said += f" ({names})" if names else ""
    return said + (f" and {_percent(part.stolen)} was stolen by the hypervisor" if part.stolen >= 0.005 else "")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "less than 1 %"


def slowed(row: LatencyRow) -> bool:
    """Whether the median of a row is far above both its first call and the fastest quarter of its calls."""
    if row.median_ms is None or row.first_call_s is None:
        return False
    return row.median_ms > FAR_ABOVE * max(1e3 * row.first_call_s, lowest_quartile_ms(row))


def lowest_quartile_ms(row: LatencyRow) -> float:
    """Return the first quartile of a row's calls, in milliseconds."""
    samples = [sample for turn in row.turns.values() for sample in turn]
    return (quantiles(samples, n=4)[0] if len(samples) > 1 else float(samples[0])) / 1e6
