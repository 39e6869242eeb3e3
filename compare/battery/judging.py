"""Judge a kernel's context: rows without a key and rows of NaN separately, all others in units of rounding.

A row that sees no key must be zeros, as ONNX's Attention operator specifies. A NaN in an additive mask must make its
row NaN, and no other row. Both are checked separately, so that a mistake there does not hide the result in other rows.
"""

from dataclasses import dataclass, replace

import numpy as np

from compare.attention.reference import reference_attention
from compare.battery.inputs import Array, Inputs, one_mask
from compare.numerics.single_attention.scale import AttentionScale, attention_scale
from compare.results.verdicts import VerdictWord, rank


@dataclass(frozen=True)
class Weighed:
    """A verdict on one context.

    multiple: the size, in floors, of the statistic nearest its limit or farthest beyond it. statistic: its name.
    where: the kind of rows that differ ("rows of no key"), if there is only one. note: a description of the difference;
    "" for rounding.
    """

    kind: VerdictWord
    multiple: float | None = None
    statistic: str | None = None
    where: str = ""
    note: str = ""


class Weigher:
    """Judge kernels' contexts by golden and floors of one case.

    >>> x = np.ones((1, 1, 2, 4), np.float32)
    >>> Weigher(Inputs(x, x, x)).weigh(np.full((1, 1, 2, 4), np.nan)).note
    'NaN in 2 of 2 rows where golden has none'
    """

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = _without_nan(inputs)
        self.scale: AttentionScale = attention_scale(
            self.inputs.query, self.inputs.key, self.inputs.value, **self.inputs.options
        )
        self.nan = _nan_rows(inputs)
        self.empty = _empty_rows(self.inputs)

    def weigh(self, context: Array) -> Weighed:
        """Return the verdict on a context (batch, heads, sequence, value's head_dim)."""
        golden = self.scale.golden
        if context.shape != golden.shape:
            return Weighed("broken", where="shape", note=f"gives shape {context.shape}, expected {golden.shape}")
        apart = self.nan | self.empty
        rest = np.where(apart[..., None], golden, context)
        nan = np.isnan(rest).any(axis=-1)
        if nan.any():
            return Weighed("broken", where="NaN", note=f"NaN in {_count(np.asarray(nan))} where golden has none")
        found = self._of_numbers(rest)
        if self.nan.any() and not np.isnan(context[self.nan]).all():
            lost = self.nan & ~np.isnan(context).all(axis=-1)
            note = f"numbers in {_count(lost, self.nan)} that must be NaN, because their mask is"
            return replace(found, kind=_worse(found.kind, "different"), where="NaN is lost", note=_and(note, found))
        if np.any(context[self.empty] != 0):
            return self._of_empty_rows(context, found)
        return found

    def _of_numbers(self, context: Array) -> Weighed:
        """Return the verdict on a context without NaN, compared with golden."""
        verdict = self.scale.judge(context)
        assert verdict.kind != "not judged"  # there is golden
        found = Weighed(verdict.kind, verdict.multiple, verdict.statistic)
        if verdict.kind in ("identical", "rounding"):
            return found
        gap = self.scale.weigh(context)
        evidence = gap.evidence
        assert evidence is not None
        place = list(evidence.place)
        actual, truth = context[evidence.place], self.scale.golden[evidence.place]
        row = self._described(context[evidence.place[:-1]][None], evidence.place[:2])
        looks = f", which looks like {verdict.precision}" if verdict.precision else ""
        said = f"its row is {row}, " if row else ""
        note = f"{said}{actual:.4g} where golden has {truth:.4g}, at {place}; largest gap {gap.max:.2g}{looks}"
        return replace(found, note=note)

    def _of_empty_rows(self, context: Array, found: Weighed) -> Weighed:
        """Return the verdict on a context whose rows that see no key are not all zeros."""
        wrong = self.empty & np.any(context != 0, axis=-1)
        nan = bool(np.isnan(context[wrong]).any())
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        row = self._described(context[first][None], first[:2]) or "neither zeros nor the mean of the values"
        note = f"{row} in {_count(wrong, self.empty)} that see no key, expected zeros"
        kind = _worse(found.kind, "broken" if nan else "different")
        return replace(found, kind=kind, where="rows of no key", note=_and(note, found))

    def _described(self, rows: Array, place: tuple[int, ...]) -> str:
        """Return what rows of one batch and head contain: "NaN", "zeros", "the mean of all values", or else ""."""
        if np.isnan(rows).any():
            return "NaN"
        if not rows.any():
            return "zeros"
        batch, head = place
        groups = self.inputs.query.shape[1] // self.inputs.key.shape[1]
        mean = self.inputs.value[batch, head // groups].mean(axis=0, dtype=np.float64)
        return "the mean of all values" if np.allclose(rows, mean, rtol=1e-4, atol=1e-6) else ""


def _without_nan(inputs: Inputs) -> Inputs:
    if inputs.mask is None or inputs.mask.dtype == bool:
        return inputs
    return replace(inputs, mask=np.where(np.isnan(inputs.mask), 0, inputs.mask).astype(inputs.mask.dtype))


def _nan_rows(inputs: Inputs) -> Array:
    """Return a boolean array (batch, heads, sequence): the rows that are NaN in golden."""
    if inputs.mask is None or inputs.mask.dtype == bool or not np.isnan(inputs.mask).any():
        return np.zeros(inputs.query.shape[:3], dtype=bool)
    query, key, value = (x.astype(np.float64) for x in (inputs.query, inputs.key, inputs.value))
    context, _ = reference_attention(query, key, value, **inputs.options)
    nan: Array = np.isnan(context).any(axis=-1)
    return nan


def _empty_rows(inputs: Inputs) -> Array:
    """Return a boolean array (batch, heads, sequence): the rows that see no key."""
    mask = one_mask(inputs)
    if mask is None:
        return np.zeros(inputs.query.shape[:3], dtype=bool)
    seen = mask if mask.dtype == bool else mask != -np.inf
    return np.broadcast_to(~seen.any(axis=-1), inputs.query.shape[:3])


def _count(rows: Array, among: Array | None = None) -> str:
    return f"{np.count_nonzero(rows)} of {rows.size if among is None else np.count_nonzero(among)} rows"


def _worse(first: VerdictWord, second: VerdictWord) -> VerdictWord:
    return max(first, second, key=rank)


def _and(note: str, found: Weighed) -> str:
    """Append the verdict on all other rows to a note."""
    if found.note:
        return f"{note}; and elsewhere {found.note}"
    return note if found.multiple is None else f"{note}; the rest is {found.kind} {found.multiple:.2g}"
