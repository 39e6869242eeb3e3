"""The length of a turn: how many calls fill one, and how long a generation will take."""

from collections.abc import Sequence

from compare.latency.decoding import TOKENS

#: The intended length of a turn, in seconds. A fast runtime makes several calls, so that resuming processes does not
#: take most of a round. A disturbance affects several calls in a row, so many short turns give narrower intervals than
#: few long ones.
TURN = 0.1
MOST_CALLS = 50


def calls_in_turn(seconds: float) -> int:
    """Return the number of timed calls in a turn of about `TURN` seconds.

    seconds: the time of one call.

    >>> calls_in_turn(0.01), calls_in_turn(3.0), calls_in_turn(1e-6)
    (10, 1, 50)
    """
    return max(1, min(MOST_CALLS, round(TURN / seconds)))


def generation_s(prefill_ns: int, steps_ns: Sequence[int]) -> float:
    """Return the expected seconds of a generation of `TOKENS` tokens, from a shorter one.

    prefill_ns: the time of its prefill. steps_ns: the time of each of its steps.

    >>> generation_s(200_000_000, [30_000_000, 34_000_000])
    0.68
    """
    return (prefill_ns + (TOKENS - 1) * sum(steps_ns) / len(steps_ns)) / 1e9
