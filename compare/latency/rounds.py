"""Rounds: each round times every runtime once, in random order, with all others suspended (docs/latency.md).

A thread pool that waits for work spins, and takes CPU time from the runtime that is being timed. So the process trees
of all runtimes but one are suspended by a signal, and this process sleeps on a read until the answer arrives.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence
from math import inf
from typing import Protocol, TypeVar

from compare.latency.series import Role, Series, of_role
from compare.latency.statistics import paired_ratio

#: Narrow intervals end the rounds only after this many. A rule that stops as soon as an interval is narrow selects
#: intervals that are narrow by chance.
MIN_ROUNDS = 12

#: Auxiliary series, which no ratio of a runtime needs, run in one out of this many rounds.
SELDOM = 3

#: A series can leave the rounds if its turns are this many times as long as the baseline's. A ratio so far from 1 is
#: known well enough after few rounds.
FAR = 5.0

#: It does if `MIN_ROUNDS` of its turns would take more than this share of the time limit. The rounds of the series that
#: left have the same share of the limit.
SLOW_SHARE = 0.25

#: Progress is reported between the turns of a round, not only after it, if so many seconds have passed.
SLOW = 5.0


class Living(Protocol):
    """An object that takes part in rounds while it is alive."""

    @property
    def alive(self) -> bool: ...


AnyLiving = TypeVar("AnyLiving", bound=Living)


def drawn(series: Sequence[AnyLiving], order: random.Random) -> list[AnyLiving]:
    """Return the objects that are alive, in random order."""
    present = [each for each in series if each.alive]
    return order.sample(present, len(present))


def run_rounds(
    series: Sequence[Series],
    *,
    seconds: float,
    seed: int,
    first: int = 0,
    least: int = 1,
    seldom: Collection[Series] = (),
    done: Callable[[], bool] = lambda: False,
    between: Callable[[int], None] = lambda _: None,
) -> int:
    """Run rounds on loaded series until `done` or until the time is spent, and return the number of the next round.

    series: all series that take part.
    seconds: the time limit.
    seed: seed of the random order of each round.
    first: the number of the first round.
    least: the fewest rounds, even if the time is spent.
    seldom: the auxiliary series among `series`; they run last in the first round and in every third one after it.
    done: returns whether the rounds can end; it is called after each round from `MIN_ROUNDS` on.
    between: called between turns with the number of rounds that are over, counted from 0: after each round, and after a
        turn if the last call was `SLOW` seconds ago.

    When the time is spent, the current round ends before its next turn. The first round is always completed; further
    rounds up to `least` are completed except for auxiliary series.
    """
    order = random.Random(seed)
    until = time.monotonic() + seconds
    called, number = time.monotonic(), first
    deciding = [each for each in series if each not in seldom]
    while number < first + least or time.monotonic() < until:
        present = drawn(deciding, order)
        if (number - first) % SELDOM == 0:
            present += drawn([each for each in series if each in seldom], order)
        if not present:
            break
        for each in present:
            needed = number == first or (number < first + least and each not in seldom)
            if needed or time.monotonic() < until:
                each.turn(number, until)
            if time.monotonic() - called > SLOW:
                between(number)
                called = time.monotonic()
        number += 1
        between(number)
        called = time.monotonic()
        if number >= first + MIN_ROUNDS and done():
            break
    return number


def leave_out(series: Sequence[Series], seconds: float) -> list[Series]:
    """Mark the series whose turns are too long for the rounds, and return them.

    series: loaded series, the baseline among them.
    seconds: the time limit of the rounds.

    Such a series would fill the rounds, and the ratios of all others would not be known. The choice rests on the calls
    after loading, so no sample of the rounds influences it. Without a living baseline, no series leaves.
    """
    baseline = of_role(Role.BASELINE, series)
    if baseline is None or not baseline.alive:
        return []
    longest = max(FAR * baseline.turn_s, SLOW_SHARE * seconds / MIN_ROUNDS)
    for each in series:
        each.too_slow = each.alive and not each.role.resident and each.turn_s > longest
        if each.too_slow and not each.decodes:
            each.line = "call"  # an untimed call before it would take as long, and warm up little
    return [each for each in series if each.too_slow]


def precise(series: Sequence[Series], precision: float, seed: int) -> bool:
    """Return whether the ratio of every living row to the baseline is known to the wanted precision.

    precision: the largest half-width of an interval, as a share of the ratio.
    """
    return all(width <= precision for width in half_widths(series, seed).values())


def half_widths(series: Sequence[Series], seed: int) -> dict[Series, float]:
    """Return how closely the ratio of every living row to the baseline is known: its half-width, as a share of it.

    Series that are not rows, such as the machine's limits, do not count. If the baseline has failed, ratios are to the
    A/A control, and if that has failed too, to the first other row. A ratio needs at least `MIN_ROUNDS` rounds in which
    both turns were undisturbed; with fewer, its half-width is infinite.
    """
    rows = [each for role in Role if role.has_row for each in series if each.alive and each.role is role]
    return {each: _half_width(each, rows[0], seed) for each in rows[1:]}


def _half_width(series: Series, reference: Series, seed: int) -> float:
    if len(series.turns.keys() & reference.turns.keys()) < MIN_ROUNDS:
        return inf
    ratio = paired_ratio(series.turns, reference.turns, seed)
    return inf if ratio is None else ratio.half_width
