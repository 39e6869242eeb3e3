"""Format numbers, ratios, verdicts, places and tables for all text output.

Nothing is imported at run time, so that `compare.testing` can use this module and stay fast to import.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compare.results.latency import Ratio
    from compare.results.runtimes import RuntimeResult
    from compare.results.verdicts import Verdict

#: The text of a cell without a value.
NOTHING = "–"

#: The text instead of a ratio whose interval is wider than a factor of two.
NOT_MEASURABLE = "not measurable"

#: The kinds of tensors that tables show, with their column headings, in the order in which a layer computes them.
KINDS = {
    "attention": "attention",
    "context": "context",
    "hidden_state": "hidden states",
    "logits": "logits",
    "last_hidden_state": "last hidden state",
}

#: Kind of tensor -> the names of its axes after the batch axis.
AXES = {
    "attention": ("head", "query", "key"),
    "query": ("head", "position", "channel"),
    "key": ("head", "position", "channel"),
    "value": ("head", "position", "channel"),
    "context": ("head", "query", "channel"),
    "hidden_state": ("position", "channel"),
    "mid_state": ("position", "channel"),
    "logits": ("position", "token"),
    "last_hidden_state": ("position", "channel"),
}

#: The axes whose indices are positions of the input's tokens.
_OF_TOKENS = ("query", "key", "position")


@dataclass(frozen=True)
class Table:
    """A table as text. The first column is left-aligned, the others are right-aligned."""

    #: What the table shows.
    title: str
    #: The columns' headings.
    columns: list[str]
    #: The cells, one for each column.
    rows: list[list[str]]
    #: What the columns mean; empty if they need no explanation.
    notes: str = ""

    def mapped(self, change: Callable[[str], str]) -> "Table":
        """Return a copy in which every text is what `change` returns for it."""
        rows = [list(map(change, row)) for row in self.rows]
        return Table(change(self.title), list(map(change, self.columns)), rows, change(self.notes))


def number(value: float | None) -> str:
    """Write a number with a few significant digits, and an exact zero as 0.

    >>> number(None), number(0.0), number(3.14159e-6), number(147.26), number(1574.3), number(float("nan"))
    ('–', '0', '3.1e-06', '147', '1,574', 'NaN')
    """
    if value is None:
        return NOTHING
    if value != value:
        return "NaN"
    if value == 0:
        return "0"
    if abs(value) < 0.01 or abs(value) >= 1e6:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def percent(share: float | None) -> str:
    """Write a change in percent with its sign.

    >>> percent(0.0613), percent(None)
    ('+6.1 %', '–')
    """
    return NOTHING if share is None else f"{100 * share:+.2g} %"


def spread(value: float | None) -> str:
    """Write an interquartile range over its median; ! marks more than 10 %, !! more than 25 %.

    >>> spread(0.014), spread(0.12), spread(0.3)
    ('1.4 %', '12.0 % !', '30.0 % !!')
    """
    if value is None:
        return NOTHING
    flag = " !!" if value > 0.25 else " !" if value > 0.10 else ""
    return f"{100 * value:.1f} %{flag}"


def rate(per_second: float, unit: str = "FLOP/s") -> str:
    """Write FLOP/s or B/s in billions.

    >>> rate(187.3e9), rate(33e9, "B/s")
    ('187 GFLOP/s', '33 GB/s')
    """
    return f"{number(per_second / 1e9)} G{unit}"


def megabytes(size: int | None) -> str:
    """Write bytes in millions.

    >>> megabytes(1_234_567_890), megabytes(None)
    ('1,235', '–')
    """
    return NOTHING if size is None else f"{size / 1e6:,.0f}"


def give_or_take(ratio: "Ratio") -> str:
    """Write how closely a ratio is known: half the width of its interval.

    >>> from compare.results.latency import Ratio
    >>> give_or_take(Ratio(estimate=1.0, low=0.97, high=1.02))
    '+-2.5 %'
    >>> give_or_take(Ratio(estimate=0.5, low=0, high=float("inf")))
    'not measurable'
    """
    return f"+-{100 * ratio.half_width:.2g} %" if ratio.measurable else NOT_MEASURABLE


def interval(ratio: "Ratio | None") -> str:
    """Write a ratio with its interval, or that it is not measurable if the interval is wider than a factor of two.

    >>> from compare.results.latency import Ratio
    >>> interval(Ratio(estimate=0.5, low=0.48, high=0.53)), interval(Ratio(estimate=0.2, low=0.001, high=28.5))
    ('0.500 [0.480, 0.530]', 'not measurable')
    >>> interval(None)
    '–'
    """
    if ratio is None:
        return NOTHING
    return f"{ratio.estimate:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]" if ratio.measurable else NOT_MEASURABLE


def rough(ratio: "Ratio", rounds: int) -> str:
    """Write a ratio from few rounds, whose interval says nothing, with their number.

    >>> from compare.results.latency import Ratio
    >>> rough(Ratio(estimate=36.27, low=0, high=float("inf")), 1)
    '36 x, 1 round'
    """
    return f"{ratio.estimate:.2g} x, {rounds} round{'s' if rounds != 1 else ''}"


def plus_minus(ratio: "Ratio") -> str:
    """Write a ratio with half the width of its interval, in two decimals, or in three where two would be zero.

    >>> from compare.results.latency import Ratio
    >>> plus_minus(Ratio(estimate=0.77, low=0.66, high=0.88)), plus_minus(Ratio(estimate=0.032, low=0.031, high=0.034))
    ('0.77 ±.11', '0.032 ±.002')
    """
    half = (ratio.high - ratio.low) / 2
    decimals = 3 if half < 0.005 or ratio.estimate < 0.1 else 2
    return f"{ratio.estimate:.{decimals}f} ±{f'{half:.{decimals}f}'.removeprefix('0')}"


def times(value: float | None) -> str:
    """Write how many times a unit something is, in one or two digits if it is small.

    >>> times(0.32), times(4.1), times(4123.0), times(0.004), times(0.0), times(1.2e8), times(None)
    ('0.3 x', '4.1 x', '4,123 x', '<0.1 x', '0', '1e+08 x', '–')
    """
    if value is None or value != value:
        return number(value)
    if value == 0:
        return "0"
    if value < 0.1:
        return "<0.1 x"
    if value >= 1e6:
        return f"{value:.0e} x"
    return f"{value:.1f} x" if value < 10 else f"{value:,.0f} x"


def share(part: "Ratio | None") -> str:
    """Write a share with its interval, in percent.

    >>> from compare.results.latency import Ratio
    >>> share(Ratio(estimate=0.623, low=0.58, high=0.65))
    '62 % [58, 65]'
    """
    if part is None:
        return NOTHING
    if not part.measurable:
        return NOT_MEASURABLE
    return f"{100 * part.estimate:.0f} % [{100 * part.low:.0f}, {100 * part.high:.0f}]"


def ratio_words(ratio: "Ratio") -> str:
    """Say what a ratio of times means. It names a faster side only if its interval excludes 1.

    >>> from compare.results.latency import Ratio
    >>> ratio_words(Ratio(estimate=0.5, low=0.48, high=0.53))
    '2 x as fast'
    >>> ratio_words(Ratio(estimate=1.01, low=0.98, high=1.04))
    'no difference (+-3 %)'
    """
    if not ratio.measurable:
        return NOT_MEASURABLE
    if ratio.low <= 1 <= ratio.high:
        return f"no difference ({give_or_take(ratio)})"
    if ratio.estimate > 1:
        return f"{ratio.estimate:.3g} x as long"
    return f"{1 / ratio.estimate:.3g} x as fast"


def output_word(output: str) -> str:
    """Return the word for an element of a model's output: "logit", or "output" for the last hidden state.

    >>> output_word("logits"), output_word("last_hidden_state")
    ('logit', 'output')
    """
    return "logit" if output == "logits" else "output"


def verdict_word(verdict: "Verdict | None") -> str:
    """Write a verdict in one cell; ! marks one that is worse than rounding."""
    if verdict is None:
        return NOTHING
    return verdict.kind if verdict.kind in ("identical", "rounding") else f"{verdict.kind}!"


def verdict_cell(runtime: "RuntimeResult") -> str:
    """Write a verdict in one cell: the word, and where a difference begins."""
    if runtime.verdict is None:
        return NOTHING
    word = runtime.verdict.kind + (" where padded" if runtime.verdict.padded else "")
    if runtime.verdict.kind in ("unsteady", "different"):
        return ": ".join(filter(None, (word, runtime.verdict.cause or runtime.verdict.place)))
    if runtime.verdict.kind == "reduced precision":
        return f"reduced precision: {runtime.verdict.precision}"
    return word


def worker_name(runtime: str, *, again: bool) -> str:
    """Name a row of latency: its runtime, and whether it is the A/A control.

    >>> worker_name("torch-eager", again=False), worker_name("torch-eager", again=True)
    ('torch-eager', 'torch-eager (A/A)')
    """
    return f"{runtime} (A/A)" if again else runtime


def place_words(tensor: str, place: Sequence[int], tokens: Sequence[str] = (), *, alone: bool = False) -> str:
    """Describe the place of a tensor's element: head, token and channel.

    tokens: the tokens of the first sequence, as text. alone: whether the batch has no other sequence.

    >>> place_words("attention.3", (0, 7, 2, 1), ["To", "·be", ","], alone=True)
    'head 7, query 2 (,), key 1 (·be)'
    >>> place_words("logits", (1, 0, 262))
    'batch 1, position 0, token 262'
    """
    if not place:
        return NOTHING
    sequence, *indices = place
    words = [] if alone else [f"batch {sequence}"]
    for axis, index in zip(AXES[tensor.partition(".")[0]], indices, strict=True):
        known = axis in _OF_TOKENS and sequence == 0 and index < len(tokens)
        words.append(f"{axis} {index} ({tokens[index]})" if known else f"{axis} {index}")
    return ", ".join(words)
