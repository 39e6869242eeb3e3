"""The numeric check for anyone's tests: is an attention computed right, by what rounding alone does to it?

A tolerance that is chosen by hand hides faults or fails on another machine. Here it is made from the inputs: golden in
float64, and several orders of summation that say how far rounding goes (docs/testing.md). Nothing heavy is loaded
before the first check, so that a plugin may import this.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from compare.report.formatting import place_words

if TYPE_CHECKING:
    from compare.numerics.single_attention.scale import AttentionScale
    from compare.numerics.verdicts import Limits
    from compare.results.verdicts import Verdict

#: What the statistics are called, in the order they are listed.
STATISTICS = {"rms": "root mean square", "max": "largest", "channel": "worst channel", "slope": "slope"}


class AttentionMismatch(AssertionError):
    """An attention that is not golden's within rounding. Its text is what was found, in a few lines.

    verdict: the word, "different" or "broken". multiple, limit: of the statistic that is furthest beyond its limit, in
    floors, and statistic what it is called; None where nothing could be counted. place: of the largest error, in words.
    details: lines on how the error lies over heads and queries.
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
        """The first line of its text."""
        return str(self).partition("\n")[0]

    @property
    def share(self) -> float | None:
        """How many times its limit the statistic is; None where nothing could be counted."""
        return None if self.multiple is None or self.limit is None else self.multiple / self.limit

    @property
    def counted(self) -> str:
        """The verdict and the statistic that is furthest beyond, in a few words."""
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
    """Raise `AttentionMismatch` where a context differs from the attention of its inputs by more than rounding.

    actual: the context to be judged, (batch, heads, sequence, head_dim), of any precision. query, key, value, mask,
    causal, scale, softcap: as for `compare.reference_attention`, NumPy or Torch arrays, all float32, all float16 or all
    bfloat16: rounding is that precision's. A row that sees no key is to be zeros. floors: how many times what rounding
    does the root mean square may reach, by default 2; the other statistics' limits move in proportion.

    Raises ValueError where floors is not above 0 and for inputs that nothing can be told of, float64 among them.

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
    from compare.numerics.verdicts import LIMITS

    if floors is not None and not floors > 0:
        raise ValueError(f"floors is {floors:g}; it takes a number above 0, {LIMITS.local.rms:g} by default")
    made = attention_scale(query, key, value, mask=mask, causal=causal, scale=scale, softcap=softcap)
    limits = LIMITS if floors is None else LIMITS.scaled(floors / LIMITS.local.rms)
    verdict = made.judge(actual, limits=limits)
    if verdict.kind == "broken":
        raise _broken(actual, made)
    if verdict.kind != "rounding":
        raise _different(actual, made, verdict, limits)


def _broken(actual: Any, made: "AttentionScale") -> AttentionMismatch:
    """What is said of another shape than golden's, and of NaN."""
    import numpy as np

    from compare.numerics.single_attention.scale import NAME, numbers

    found, golden = numbers(actual), made.golden
    if found.shape != golden.shape:
        lines = [f"attention is broken: actual has shape {found.shape}, golden has {golden.shape}"]
        if found.ndim == 4 and np.swapaxes(found, 1, 2).shape == golden.shape:
            lines.append(
                "its heads stand where golden has the sequence: (batch, heads, sequence, head_dim) is expected"
            )
        return AttentionMismatch(lines, verdict="broken")
    nan = np.isnan(found)
    first = tuple(int(i) for i in np.argwhere(nan)[0])
    lines = [
        f"attention is broken: {int(nan.sum())} of {nan.size} numbers are NaN, golden has none",
        f"the first is at {place_words(NAME, first)}: golden {golden[first]:.6g}",
    ]
    if not golden[first[0], first[1], first[2]].any():
        lines.append("golden has only zeros in that row, as it has where a query sees no key")
    return AttentionMismatch(lines, verdict="broken", place=place_words(NAME, first), details=_spread(nan))


def _different(actual: Any, made: "AttentionScale", verdict: "Verdict", limits: "Limits") -> AttentionMismatch:
    """What is said of an error that is more than rounding."""
    import numpy as np

    from compare.numerics.errors import FEWEST_POSITIONS
    from compare.numerics.single_attention.scale import NAME, numbers

    gap, found = made.weigh(actual), numbers(actual)
    assert gap.evidence is not None and gap.place is not None
    assert verdict.statistic is not None and verdict.multiple is not None
    multiples = gap.evidence.accumulated
    limit = getattr(limits.local, verdict.statistic)
    place = place_words(NAME, gap.place)
    counted = f"{verdict.multiple:.3g} floors where {limit:.3g} is the limit"
    lines = [f"attention is different, not rounding: {STATISTICS[verdict.statistic]} {counted}"]
    for statistic, words in STATISTICS.items():
        multiple, most = getattr(multiples, statistic), getattr(limits.local, statistic)
        beyond = "" if multiple <= most else "  <- beyond"
        lines.append(f"  {words:16} {multiple:9.3g} floors, limit {most:.3g}{beyond}")
    if not made.floor.channels.size:
        lines[-2] = f"  {STATISTICS['channel']:16} {'–':>9} (it takes {FEWEST_POSITIONS} positions)"
    lines.append(
        f"largest error {gap.max:.3g} at {place}: actual {found[gap.place]:.9g}, golden {made.golden[gap.place]:.9g}"
    )
    if made.floor.exact.all():
        lines.append(f"all {len(made.controls)} runs that the floor was made from reach golden exactly")
    else:
        lines.append(f"a floor is the most that {len(made.controls)} runs differ by, {made.distinct} of them distinct")
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
    """How the numbers that are wrong each by themselves lie over the axes of a context; apart: True where one is."""
    count = int(apart.sum())
    if not count:
        return ("no single number is beyond the limit of the largest",)
    lines = [f"{count} of {apart.size} numbers are beyond the limit of the largest:"]
    for axis, words in enumerate(("batch", "head", "query", "channel")):
        others = tuple(i for i in range(4) if i != axis)
        hit = [int(i) for i in apart.any(axis=others).nonzero()[0]]
        lines.append(f"{words:8} {', '.join(_runs(hit))} (of {apart.shape[axis]})")
    return tuple(lines)


def _runs(numbers: list[int]) -> Iterator[str]:
    """Ascending numbers, neighbours joined.

    >>> list(_runs([0, 1, 2, 5, 7, 8]))
    ['0 to 2', '5', '7 to 8']
    """
    start = 0
    for i, number in enumerate(numbers):
        if i + 1 == len(numbers) or numbers[i + 1] != number + 1:
            yield str(number) if i == start else f"{numbers[start]} to {number}"
            start = i + 1
