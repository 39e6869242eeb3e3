"""Choose the heads whose attention is shown by default, and cut the maps of all heads out of traces."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.results.circumstances import Head

#: The largest number of rows and columns of a map; a larger plot could not be read. The first ones are kept.
LARGEST_MAP = 128

#: The most numbers in the maps of one run. A model with more heads has maps of fewer positions.
MOST_NUMBERS = 4_000_000

Arrays = Mapping[str, NDArray[Any]]


def choose_heads(golden: Arrays) -> list[Head]:
    """Return the heads with the lowest, the median and the highest entropy: sharpest, middle and flattest.

    The entropy is the mean over the rows of the first sequence of the batch, in nats. Fewer than three heads are
    returned if the model has fewer.
    """
    entropies = []
    for name in _attention(golden):
        rows = golden[name][0]
        entropy = -np.sum(rows * np.log(np.where(rows > 0, rows, 1)), axis=-1).mean(axis=-1)
        entropies += [(float(e), int(name.partition(".")[2]), head) for head, e in enumerate(entropy)]
    entropies.sort()
    places = {len(entropies) // 2: "middle", len(entropies) - 1: "flattest", 0: "sharpest"}
    chosen = [(*entropies[i][1:], places[i]) for i in sorted(places)] if entropies else []
    return [Head(layer=layer, head=head, name=f"layer {layer} head {head} ({why})") for layer, head, why in chosen]


def golden_maps(golden: Arrays) -> dict[str, NDArray[Any]]:
    """Return golden's attention by tensor: float16 (head, query, key) of the first sequence."""
    shown = shown_positions(golden)
    return {name: golden[name][0, :, :shown, :shown].astype(np.float16) for name in _attention(golden)}


def difference_maps(found: Arrays, golden: Arrays) -> dict[str, NDArray[Any]]:
    """Return the difference of a run's attention from golden's by tensor; empty if the run exposes none.

    A difference is float16 (head, query, key) in units of the largest finite one of its head. That is float64 (head,)
    under the tensor's name and `/largest`, and 1 if there is no finite difference but 0.
    """
    shown = shown_positions(golden)
    maps: dict[str, NDArray[Any]] = {}
    for name in (name for name in _attention(golden) if name in found):
        run, truth = (np.asarray(trace[name][0, :, :shown, :shown], dtype=np.float64) for trace in (found, golden))
        with np.errstate(invalid="ignore"):  # infinity less infinity, in a run that is broken
            difference = run - truth
        sizes = np.abs(np.where(np.isfinite(difference), difference, 0.0)).max(axis=(1, 2))
        largest = np.where(sizes > 0, sizes, 1.0)
        maps |= {name: (difference / largest[:, None, None]).astype(np.float16), f"{name}/largest": largest}
    return maps


def shown_positions(golden: Arrays) -> int:
    """Return the number of positions of which maps are kept; 0 if golden has no attention."""
    names = _attention(golden)
    if not names:
        return 0
    _, heads, sequence, _ = golden[names[0]].shape
    return int(min(sequence, LARGEST_MAP, (MOST_NUMBERS / (len(names) * heads)) ** 0.5 // 1))


def _attention(trace: Arrays) -> list[str]:
    """Return the names of a trace's attention, layer by layer."""
    return [name for name in trace if name.startswith("attention.")]
