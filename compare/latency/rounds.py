"""Rounds: every runtime is timed once in each, in random order, all others suspended (docs/method.md, Latency).

A thread pool that waits for work spins, and steals the core from whoever is being timed; so the process trees of all
runtimes but one are stopped by a signal, and this process sleeps on a read until the answer comes.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeVar

from compare.latency.series import Role, Series
from compare.latency.statistics import paired_ratio

#: No interval is trusted enough to stop on before so many rounds: a rule that stops on the narrowest interval it has
#: seen would stop on one that is narrow by luck.
LEAST_ROUNDS = 12

#: Auxiliary series, which no ratio of a runtime needs, run in every third round.
SELDOM = 3


class Living(Protocol):
    """What has a place in rounds for as long as it lives."""

    @property
    def alive(self) -> bool: ...


AnyLiving = TypeVar("AnyLiving", bound=Living)


def drawn(series: Sequence[AnyLiving], order: random.Random) -> list[AnyLiving]:
    """Those that live, in the order of a round."""
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
) -> int:
    """Let loaded series take turns until they are `done` or the time is spent; returns the next round's number.

    There are at least `least` rounds whatever the time, and `LEAST_ROUNDS` before `done` is asked. Each round is in an
    order of its own, drawn with the seed; they are numbered from `first` on. Those of `seldom` come after the others,
    in the first round and in every third one after it. Once the time is spent, a round ends where it is, and those of
    `seldom` have no turn but in the first. `done` is called between rounds, never during one.
    """
    order = random.Random(seed)
    until = time.monotonic() + seconds
    number = first
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
        number += 1
        if number >= first + LEAST_ROUNDS and done():
            break
    return number


def precise(series: Sequence[Series], precision: float, seed: int) -> bool:
    """Whether the time of every row that lives is known, as a ratio to the baseline's, as closely as asked for.

    Neither the machine's limits nor what taps cost keep the others. If the baseline has failed, ratios are to the A/A
    control, and if that has failed too, to any other row. No ratio is known from fewer than `LEAST_ROUNDS` rounds in
    which both turns were undisturbed.
    """
    rows = [each for role in Role if role.has_row for each in series if each.alive and each.role is role]
    reference = next(iter(rows), None)
    if reference is None:
        return True
    others = [each for each in rows if each is not reference]
    if any(len(each.turns.keys() & reference.turns.keys()) < LEAST_ROUNDS for each in others):
        return False
    ratios = (paired_ratio(each.turns, reference.turns, seed) for each in others)
    return all(ratio is not None and ratio.half_width <= precision for ratio in ratios)
