"""How the difference of two reports is said: tables, then sentences, the last of which is the answer."""

from collections.abc import Iterator

from compare.diff.schema import Difference, LatencyChange, RuntimeChange, SidePart, StandingPart
from compare.report.formatting import NOTHING, interval, number
from compare.report.sections.interference import told, worker_name
from compare.report.table import Table


def opening(difference: Difference) -> list[str]:
    """Which two reports stand against each other."""
    return [
        f"{difference.subject}: B against A",
        f"A: {_side(difference.older)}",
        f"B: {_side(difference.newer)}",
        *(f"NOTE: {note}" for note in difference.notes),
        "",
    ]


def _side(side: SidePart) -> str:
    return f"{side.created}, commit {side.commit or 'unknown'}, {side.rounds} rounds"


def tables(difference: Difference) -> list[Table]:
    """Numbers and latency, a row a runtime."""
    numbers = Table(
        "Verdicts, and the largest logit gap in units of rounding",
        ["runtime", "A", "B", "x rounding, A", "B", "verdict"],
        [_numbers(row) for row in difference.runtimes],
    )
    latency = Table(
        f"Time beside {difference.baseline} of the same report, and how it and the peak of memory changed",
        ["runtime", "ratio in A", "ratio in B", "B / A [95 %]", "reading", "peak"],
        [_latency(row) for row in difference.latency],
    )
    return [numbers, latency]


def _numbers(row: RuntimeChange) -> list[str]:
    multiples = [number(standing.rounding if standing else None) for standing in (row.older, row.newer)]
    return [row.name, _standing(row.older), _standing(row.newer), *multiples, row.change or NOTHING]


def _standing(standing: StandingPart | None) -> str:
    if standing is None:
        return "not there"
    return "failed" if standing.error else standing.verdict or NOTHING


def _latency(row: LatencyChange) -> list[str]:
    name = worker_name(row.runtime, again=row.again)
    ratios = [interval(part) if part else NOTHING for part in (row.older, row.newer, row.change)]
    memory = NOTHING if row.memory_percent is None else f"{row.memory_percent:+.0f} %"
    return [name, *ratios, reading(row), memory]


def reading(row: LatencyChange) -> str:
    """What a change says: nothing where its interval holds 1, and nothing of a runtime in the A/A row."""
    if row.change is None:
        return row.missing
    return "the truth is 1" if row.again else told(row.change)


def lines(difference: Difference) -> list[str]:
    """What is said below the tables; the last line is the answer."""
    return [*_absent(difference), *_times(difference), *_again(difference), *_unsure(difference), answer(difference)]


def _absent(difference: Difference) -> Iterator[str]:
    """Runtimes that one report alone has: nothing can be said of them, and that is said."""
    for row in difference.runtimes:
        if row.older is None or row.newer is None:
            yield f"{row.name} is in {'B' if row.older is None else 'A'} alone, so nothing is said of it."
        elif row.older.error or row.newer.error:
            errors = [f"{side}: {part.error}" for side, part in (("A", row.older), ("B", row.newer)) if part.error]
            yield f"{row.name} failed in {'; in '.join(errors)}."


def _times(difference: Difference) -> Iterator[str]:
    older, newer = difference.older.baseline_ms, difference.newer.baseline_ms
    if older is not None and newer is not None:
        yield (
            f"{difference.baseline} took {number(older)} ms in A and {number(newer)} ms in B. Absolute times of two "
            "runs are not compared: they are of two states of a machine."
        )


def _again(difference: Difference) -> Iterator[str]:
    """What the baseline's second process says of the machine, where it says that the intervals are too narrow."""
    for row in difference.latency:
        if row.again and row.change and not row.change.low <= 1 <= row.change.high:
            yield (
                f"The second process of {row.runtime} reads {interval(row.change)}, and the truth is 1: changes of "
                "that size come of the machine."
            )


def _unsure(difference: Difference) -> Iterator[str]:
    """Changes beyond the limit that the rounds neither show nor rule out, in one sentence."""
    limit = 1 + difference.fail_over / 100
    unsure = [
        f"{row.runtime} may take up to {100 * (row.change.high - 1):.0f} % longer"
        for row in difference.latency
        if row.change and not row.again and row.change.low <= limit < row.change.high
    ]
    if unsure:
        yield (
            f"More than {difference.fail_over:g} % is neither shown nor ruled out by these rounds: "
            f"{', '.join(unsure)}; a longer --time narrows the intervals."
        )


def answer(difference: Difference) -> str:
    """Whether something became worse, and what."""
    if difference.regressions:
        return f"regression: {'; '.join(regression.said for regression in difference.regressions)}"
    judged = sum(row.change is not None for row in difference.runtimes)
    timed = sum(row.change is not None and not row.again for row in difference.latency)
    return (
        f"no regression: of {judged} verdicts none is worse and at or beyond {difference.fail_on}, and of {timed} "
        f"runtimes timed none is certain to take more than {difference.fail_over:g} % longer"
    )
