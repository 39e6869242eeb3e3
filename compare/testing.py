"""The numeric check for your own tests: does an attention differ from golden by more than rounding?

A tolerance that is chosen by hand hides faults or fails on another machine. Here the tolerance is computed from the
inputs: from golden in float64, and from runs with several orders of summation, which show what rounding does
(docs/testing.md). Slow imports are delayed until the first check, so that a plugin can import this module.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from compare.report.formatting import place_words

if TYPE_CHECKING:
    from compare.numerics.single_attention.scale import AttentionScale
    from compare.results.verdict_limits import Limits
    from compare.results.verdicts import Verdict

#: Statistic -> its name in messages, in the order in which they are listed.
STATISTICS = {"rms": "root mean square", "max": "largest", "channel": "worst channel", "slope": "slope"}


class AttentionMismatch(AssertionError):
    """An attention differs from golden by more than rounding. The text of the error describes the difference.

    verdict: "different" or "broken".
    statistic: the name of the statistic that is furthest beyond its limit; None if the attention is broken.
    multiple: the value of that statistic (floors), or None.
    limit: its limit (floors), or None.
    place: the place of the largest error, in words.
    details: lines that say which heads, queries and channels are wrong.
    """

    def __init__(
        self,
        lines: list[str],
        *,
        verdict: str,
        statistic: str | None = None,
        multiple: float | None = None,
        limit: float | None = None,
        place: str = "",
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__("\n".join(lines))
        self.verdict, self.statistic, self.multiple, self.limit = verdict, statistic, multiple, limit
        self.place, self.details = place, details

    @property
    def headline(self) -> str:
        """The first line of the text."""
        return str(self).partition("\n")[0]

    @property
    def share(self) -> float | None:
        """The statistic over its limit; None if the attention is broken."""
        return None if self.multiple is None or self.limit is None else self.multiple / self.limit

    @property
    def counted(self) -> str:
        """The statistic with its limit, or "broken", in a few words."""
        if self.multiple is None:
            return self.verdict
        return f"{self.statistic} {self.multiple:.3g} floors, limit {self.limit:.3g}"


def assert_attention_close(
    actual: Any,
    query: Any,
    key: Any,
    value: Any,
    *,
    mask: Any = None,
    causal: bool = False,
    scale: float | None = None,
    softcap: float = 0.0,
    floors: float | None = None,
) -> None:
    """Raise `AttentionMismatch` if a context differs from the attention of its inputs by more than rounding.

    actual: the context to judge (batch, heads, sequence, head_dim), in any precision. A row that sees no key must be
        zeros.
    query, key, value: NumPy or Torch arrays, as for `compare.reference_attention`. All are float32, all float16 or all
        bfloat16, and this precision sets the floors.
    mask, causal, scale, softcap: as for `compare.reference_attention`.
    floors: the limit of the root mean square (floors), by default 2. The other limits change in proportion.

    Raises `ValueError` if `floors` is not above 0, or if the inputs cannot be judged, as in float64.

    >>> from compare import reference_attention
    >>> query, key, value = np.random.default_rng(0).standard_normal((3, 1, 2, 20, 8), dtype=np.float32)
    >>> context, _ = reference_attention(query, key, value, causal=True)
    >>> assert_attention_close(context, query, key, value, causal=True)
    >>> assert_attention_close(context[:, ::-1], query, key, value, causal=True)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    compare.testing.AttentionMismatch: attention is different, not rounding: ...
    """
    __tracebackhide__ = True  # pytest then shows the caller's line
    from compare.numerics.single_attention.scale import attention_scale
    from compare.results.verdict_limits import LIMITS

    if floors is not None and not floors > 0:
        raise ValueError(f"floors is {floors:g}; it must be above 0 (default: {LIMITS.local.rms:g})")
    made = attention_scale(query, key, value, mask=mask, causal=causal, scale=scale, softcap=softcap)
    limits = LIMITS if floors is None else LIMITS.scaled(floors / LIMITS.local.rms)
    verdict = made.judge(actual, limits=limits)
    if verdict.kind == "broken":
        raise _broken(actual, made)
    if verdict.kind != "rounding":
        raise _different(actual, made, verdict, limits)


def _broken(actual: Any, made: "AttentionScale") -> AttentionMismatch:
    """Return the error for a context that has NaN, or does not have golden's shape."""
    import numpy as np

    from compare.numerics.single_attention.scale import NAME, numbers

    found, golden = numbers(actual), made.golden
    if found.shape != golden.shape:
        lines = [f"attention is broken: actual has shape {found.shape}, golden has {golden.shape}"]
        if found.ndim == 4 and np.swapaxes(found, 1, 2).shape == golden.shape:
            lines.append("heads and sequence are swapped: (batch, heads, sequence, head_dim) is expected")
        return AttentionMismatch(lines, verdict="broken")
    nan = np.isnan(found)
    first = tuple(int(i) for i in np.argwhere(nan)[0])
    lines = [
        f"attention is broken: {int(nan.sum())} of {nan.size} numbers are NaN, golden has none",
        f"the first is at {place_words(NAME, first)}: golden {golden[first]:.6g}",
    ]
    if not golden[first[0], first[1], first[2]].any():
        lines.append("golden has only zeros in that row, because its query sees no key")
    return AttentionMismatch(lines, verdict="broken", place=place_words(NAME, first), details=_spread(nan))


def _different(actual: Any, made: "AttentionScale", verdict: "Verdict", limits: "Limits") -> AttentionMismatch:
    """Return the error for a context that differs by more than rounding."""
    import numpy as np

    from compare.numerics.errors import FEWEST_POSITIONS
    from compare.numerics.single_attention.scale import NAME, numbers

    gap, found = made.weigh(actual), numbers(actual)
    assert gap.evidence is not None and gap.place is not None
    assert verdict.statistic is not None and verdict.multiple is not None
    multiples = gap.evidence.accumulated
    limit = getattr(limits.local, verdict.statistic)
    place = place_words(NAME, gap.place)
    counted = f"{verdict.multiple:.3g} floors, limit {limit:.3g}"
    lines = [f"attention is different, not rounding: {STATISTICS[verdict.statistic]} {counted}"]
    for statistic, words in STATISTICS.items():
        multiple, most = getattr(multiples, statistic), getattr(limits.local, statistic)
        beyond = "" if multiple <= most else "  <- beyond"
        lines.append(f"  {words:16} {multiple:9.3g} floors, limit {most:.3g}{beyond}")
    if not made.floor.channels.size:
        lines[-2] = f"  {STATISTICS['channel']:16} {'–':>9} (needs {FEWEST_POSITIONS} positions)"
    lines.append(
        f"largest error {gap.max:.3g} at {place}: actual {found[gap.place]:.9g}, golden {made.golden[gap.place]:.9g}"
    )
    if made.floor.exact.all():
        lines.append(f"all {len(made.controls)} controls equal golden exactly")
    else:
        lines.append(f"a floor is the largest error of {len(made.controls)} controls, {made.distinct} of them distinct")
    with np.errstate(invalid="ignore"):
        apart = ~(np.abs(found - made.golden) <= limits.local.max * made.floor.max[0])
    return AttentionMismatch(
        lines,
        verdict="different",
        statistic=STATISTICS[verdict.statistic],
        multiple=verdict.multiple,
        limit=limit,
        place=place,
        details=_spread(apart),
    )


def _spread(apart: Any) -> tuple[str, ...]:
    """Return lines with the indices of wrong numbers on each axis. apart: True for each wrong number."""
    count = int(apart.sum())
    if not count:
        return ("no single number differs by more than the limit of the largest error",)
    lines = [f"{count} of {apart.size} numbers differ by more than the limit of the largest error:"]
    for axis, words in enumerate(("batch", "head", "query", "channel")):
        others = tuple(i for i in range(4) if i != axis)
        hit = [int(i) for i in apart.any(axis=others).nonzero()[0]]
        lines.append(f"{words:8} {', '.join(_runs(hit))} (of {apart.shape[axis]})")
    return tuple(lines)


def _runs(numbers: list[int]) -> Iterator[str]:
    """Yield ascending numbers as text, with consecutive ones joined.

    >>> list(_runs([0, 1, 2, 5, 7, 8]))
    ['0 to 2', '5', '7 to 8']
    """
    start = 0
    for i, number in enumerate(numbers):
        if i + 1 == len(numbers) or numbers[i + 1] != number + 1:
            yield str(number) if i == start else f"{numbers[start]} to {number}"
            start = i + 1
