"""The text of `diff`: an opening, tables, and sentences. The last sentence is the answer."""

from collections.abc import Iterator

from compare.diff.schema import Difference, LatencyChange, RuntimeChange, Side, Standing
from compare.report.formatting import NOTHING, Table, interval, number, ratio_words, worker_name

_LATENCY_NOTES = (
    "Ratios are times over the baseline's of the same report; B / A is the change of that ratio. peak: the change of "
    "peak memory. (A/A): the baseline in a second process; its change should be 1."
)


def opening(difference: Difference) -> list[str]:
    """Return the lines that name the two reports and the circumstances that differ."""
    return [
        f"{difference.subject}: B against A",
        f"A: {_side(difference.older)}",
        f"B: {_side(difference.newer)}",
        *(f"NOTE: {note}" for note in difference.notes),
        "",
    ]


def _side(side: Side) -> str:
    return f"{side.created}, commit {side.commit or 'unknown'}, {side.rounds} rounds"


def tables(difference: Difference) -> list[Table]:
    """Return the tables of verdicts and of latency, a row for each runtime."""
    numbers = Table(
        "Verdicts, and the largest gap of the output in units of rounding",
        ["runtime", "A", "B", "x rounding, A", "B", "verdict"],
        [_numbers(row) for row in difference.runtimes],
    )
    latency = Table(
        f"Time over {difference.baseline}'s, and how it changed from A to B",
        ["runtime", "ratio in A", "ratio in B", "B / A [95 %]", "reading", "peak"],
        [_latency(row) for row in difference.latency],
        _LATENCY_NOTES,
    )
    return [numbers, latency]


def _numbers(row: RuntimeChange) -> list[str]:
    multiples = [number(standing.rounding if standing else None) for standing in (row.older, row.newer)]
    return [row.name, _standing(row.older), _standing(row.newer), *multiples, row.change or NOTHING]


def _standing(standing: Standing | None) -> str:
    if standing is None:
        return "absent"
    return "failed" if standing.error else standing.verdict or NOTHING


def _latency(row: LatencyChange) -> list[str]:
    name = worker_name(row.runtime, again=row.again)
    memory = NOTHING if row.memory_percent is None else f"{row.memory_percent:+.0f} %"
    return [name, *map(interval, (row.older, row.newer, row.change)), reading(row), memory]


def reading(row: LatencyChange) -> str:
    """Say what a change means. No side is faster if the interval contains 1, or if the row is the A/A control."""
    if row.change is None:
        return row.missing
    return "A/A control" if row.again else ratio_words(row.change)


def lines(difference: Difference) -> list[str]:
    """Return the sentences below the tables. The last one is the answer."""
    return [*_absent(difference), *_times(difference), *_control(difference), *_unsure(difference), answer(difference)]


def _absent(difference: Difference) -> Iterator[str]:
    """Name the runtimes that only one report has, and those that failed in one."""
    for row in difference.runtimes:
        if row.older is None or row.newer is None:
            yield f"{row.name} is only in {'B' if row.older is None else 'A'}, so it is not compared."
        elif row.older.error or row.newer.error:
            errors = [f"{side}: {part.error}" for side, part in (("A", row.older), ("B", row.newer)) if part.error]
            yield f"{row.name} failed in {'; in '.join(errors)}."


def _times(difference: Difference) -> Iterator[str]:
    older, newer = difference.older.baseline_ms, difference.newer.baseline_ms
    if older is not None and newer is not None:
        yield (
            f"{difference.baseline} took {number(older)} ms in A and {number(newer)} ms in B. Absolute times of two "
            "runs are not compared, because the machine's state may have changed."
        )


def _control(difference: Difference) -> Iterator[str]:
    """Give the A/A control's change if its interval excludes 1, because then all intervals are too narrow."""
    for row in difference.latency:
        if row.again and row.change and not row.change.low <= 1 <= row.change.high:
            yield (
                f"The A/A control's change is {interval(row.change)}, and should be 1: changes of that size come from "
                "the machine."
            )


def _unsure(difference: Difference) -> Iterator[str]:
    """Name the runtimes for which the rounds neither show nor exclude a change beyond the limit."""
    limit = 1 + difference.fail_over / 100
    unsure = [
        f"{row.runtime} may take up to {100 * (row.change.high - 1):.0f} % longer"
        for row in difference.latency
        if row.change and not row.again and row.change.low <= limit < row.change.high
    ]
    if unsure:
        yield (
            f"These rounds neither show nor rule out a change of more than {difference.fail_over:g} %: "
            f"{', '.join(unsure)}; a longer --time narrows the intervals."
        )


def answer(difference: Difference) -> str:
    """Say whether something became worse, and what."""
    if difference.regressions:
        return f"regression: {'; '.join(regression.said for regression in difference.regressions)}"
    judged = sum(row.change is not None for row in difference.runtimes)
    timed = sum(row.change is not None and not row.again for row in difference.latency)
    return (
        f"no regression: of {judged} verdicts none is worse and at or beyond {difference.fail_on}, and of {timed} "
        f"runtimes timed none is certain to take more than {difference.fail_over:g} % longer"
    )
