"""The attention in the page: maps of one byte a probability, for golden and for chosen heads of each runtime.

A map is the attention of one head on the first sequence, (query, key). Of causal attention, only the half on and below
the diagonal is in the page, row by row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.report.head_maps import HeadMaps, head_maps
from compare.report.schema import Report
from compare.results.runtimes import RuntimeResult
from compare.results.verdicts import reaches

#: The most bytes of golden's maps. A model with more heads has maps of fewer positions.
GOLDEN_BYTES = 2_000_000

#: The most bytes of the differences of all runtimes.
DIFFERENCE_BYTES = 3_000_000

#: The number of heads of each layer whose difference is in the page, those with the largest one.
WORST = 2

#: The code of a difference that is not a finite number. All others are from -127 to 127.
NOT_FINITE = -128

#: A head: its layer and its index in the layer, both counted from 0.
Place = tuple[int, int]


@dataclass(frozen=True)
class Differences:
    """The differences of a runtime's attention from golden's."""

    #: The heads whose difference is in the page.
    heads: list[Place]
    #: The differences, (heads, cells): the root of the share of the largest one, with its sign, in units of 1/127.
    codes: NDArray[np.int8]
    #: The largest difference of each head.
    largest: list[float]


@dataclass(frozen=True)
class AttentionMaps:
    """The maps of a page."""

    #: Whether there are only the cells on and below the diagonal.
    causal: bool
    #: The number of positions of a map.
    positions: int
    #: Layer -> golden's maps, (heads, cells): the root of each probability, in units of 1/255.
    golden: dict[int, NDArray[np.uint8]]
    #: Runtime -> its differences.
    differences: dict[str, Differences]


def attention_maps(report: Report) -> AttentionMaps | None:
    """Return the maps of a report's page; None if all heads' attention is not next to the report."""
    with head_maps(report) as stored:
        if stored is None or not stored.layers:
            return None
        causal = report.output == "logits"
        golden = {layer: stored.golden(layer) for layer in stored.layers}
        heads, kept = sum(map(len, golden.values())), next(iter(golden.values())).shape[-1]
        positions = positions_shown(kept, heads, causal=causal)
        cells = cells_of(positions, causal=causal)
        known = {runtime.name: runtime for runtime in report.runtimes if runtime.name in stored.runtimes}
        gaps = {name: _gaps_by_head(runtime, golden) for name, runtime in known.items()}
        different = [name for name, runtime in known.items() if _is_different(runtime)]
        chosen = chosen_heads(gaps, different, DIFFERENCE_BYTES // cells)
        return AttentionMaps(
            causal,
            positions,
            {layer: _roots(_cells(maps, positions, causal=causal)) for layer, maps in golden.items()},
            {name: _differences(stored, name, heads, positions, causal=causal) for name, heads in chosen.items()},
        )


def cells_of(positions: int, *, causal: bool) -> int:
    """Return the number of cells of a map.

    >>> cells_of(128, causal=True), cells_of(128, causal=False)
    (8256, 16384)
    """
    return positions * (positions + 1) // 2 if causal else positions**2


def positions_shown(kept: int, heads: int, *, causal: bool) -> int:
    """Return the number of positions of which the maps of all heads have at most `GOLDEN_BYTES`.

    kept: the number of positions that are kept. heads: the number of heads in all layers.

    >>> [positions_shown(kept, heads, causal=True) for kept, heads in ((128, 72), (20, 72), (128, 1024))]
    [128, 20, 62]
    """
    while kept > 1 and heads * cells_of(kept, causal=causal) > GOLDEN_BYTES:
        kept -= 1
    return kept


def chosen_heads(
    gaps: Mapping[str, Mapping[int, Sequence[float]]], different: Collection[str], room: int
) -> dict[str, list[Place]]:
    """Choose the heads of each runtime whose differences are in the page, at most `room` in all.

    gaps: runtime -> layer -> the largest gap of each head. different: the runtimes of which all heads are chosen while
    there is room; of the others, the worst heads of each layer are.

    >>> gaps = {"a": {0: [1.0, 3.0, 2.0], 1: [5.0, 0.0, 4.0]}, "b": {0: [1.0, 0.0, 2.0], 1: [0.0, 0.0, 1.0]}}
    >>> chosen_heads(gaps, ["b"], room=10)
    {'a': [(0, 1), (0, 2), (1, 0), (1, 2)], 'b': [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]}
    >>> chosen_heads(gaps, ["b"], room=4)
    {'a': [(0, 1), (1, 0)], 'b': [(0, 2), (1, 2)]}
    """
    for worst in range(WORST, -1, -1):
        chosen = {name: _worst_of_layers(layers, worst) for name, layers in gaps.items()}
        if sum(map(len, chosen.values())) <= room:
            break
    for name in (name for name in gaps if name in different):
        everything = [(layer, head) for layer, heads in gaps[name].items() for head in range(len(heads))]
        if sum(map(len, chosen.values())) - len(chosen[name]) + len(everything) <= room:
            chosen[name] = everything
    return chosen


def _worst_of_layers(layers: Mapping[int, Sequence[float]], count: int) -> list[Place]:
    """Return the heads with the largest gaps of each layer. NaN counts as the largest."""
    found = []
    for layer, gaps in layers.items():
        worst = sorted(range(len(gaps)), key=lambda head: (not isnan(gaps[head]), -gaps[head]))
        found += [(layer, head) for head in sorted(worst[:count])]
    return found


def _gaps_by_head(runtime: RuntimeResult, layers: Collection[int]) -> dict[int, tuple[float, ...]]:
    """Return layer -> the largest gap of each head, for these layers."""
    known = {int(gap.tensor.partition(".")[2]): gap.heads for gap in runtime.gaps if gap.heads}
    return {layer: gaps for layer, gaps in known.items() if layer in layers}


def _is_different(runtime: RuntimeResult) -> bool:
    """Whether a runtime is different or broken on the text, whatever it is on the padded input."""
    verdict = runtime.padding.text if runtime.padding else runtime.verdict
    return verdict is not None and reaches(verdict.kind, "different")


def _cells(maps: NDArray[Any], positions: int, *, causal: bool) -> NDArray[np.float64]:
    """Return the cells of maps that are in the page: (heads, query, key) becomes (heads, cells)."""
    shown = np.asarray(maps[:, :positions, :positions], np.float64)
    return shown[(slice(None), *np.tril_indices(positions))] if causal else shown.reshape(len(shown), -1)


def _roots(cells: NDArray[np.float64]) -> NDArray[np.uint8]:
    codes: NDArray[np.uint8] = np.rint(255 * np.sqrt(np.clip(np.nan_to_num(cells), 0, 1))).astype(np.uint8)
    return codes


def _differences(
    stored: HeadMaps, runtime: str, places: Sequence[Place], positions: int, *, causal: bool
) -> Differences:
    """Return the differences of a runtime's chosen heads, layer by layer."""
    heads: list[Place] = []
    codes = [np.zeros((0, cells_of(positions, causal=causal)), np.int8)]
    largest: list[float] = []
    for layer in dict.fromkeys(layer for layer, _ in places):
        chosen = [head for at, head in places if at == layer]
        shares, sizes = stored.differences(runtime, layer)
        cells = _cells(shares[chosen], positions, causal=causal)
        finite = np.isfinite(cells)
        roots = np.copysign(np.sqrt(np.abs(np.where(finite, cells, 0.0))), np.where(finite, cells, 0.0))
        codes.append(np.where(finite, np.rint(127 * roots), NOT_FINITE).astype(np.int8))
        heads += [(layer, head) for head in chosen]
        largest += sizes[chosen].tolist()
    return Differences(heads, np.concatenate(codes), largest)
